package imagestream

import (
	"slices"
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/towpath/towpath/yamledit"
)

// Edits are the changes that turn the status of d's stream in f into after, and
// nothing else: fields and conditions of others stay where they are. A tag that is new
// goes to the place that it has in after; the tags of both must come in the same
// order. For a stream with spec.dockerImageRepository whose status changes, the
// annotation openshift.io/image.dockerRepositoryCheck becomes Options.Now.
//
// d is what Parse made of f, uncut. No edits follow from a status that is malformed.
func Edits(f *yamledit.File, d Document, after Status, o Options) []yamledit.Change {
	if d.Malformed {
		return nil
	}
	root := field(f.Docs[d.Doc].Root, d.At...)
	e := &editor{doc: d.Doc}
	e.status(slices.Concat(d.At, yamledit.Path{"status"}), field(root, "status"), d.Status, after)
	if len(e.changes) > 0 && d.Spec.Repository != "" {
		e.set(o.now().Format(time.RFC3339), slices.Concat(d.At, yamledit.Path{"metadata", "annotations", annotationChecked}))
	}
	return e.changes
}

type editor struct {
	doc     int
	changes []yamledit.Change
}

func (e *editor) set(v yamledit.Value, at yamledit.Path, more ...any) {
	e.add(yamledit.Set, v, at, more...)
}

func (e *editor) add(op yamledit.Op, v yamledit.Value, at yamledit.Path, more ...any) {
	e.changes = append(e.changes, yamledit.Change{Doc: e.doc, At: slices.Concat(at, more), Op: op, Value: v})
}

// text sets a string that differs.
func (e *editor) text(old, new string, at yamledit.Path, more ...any) {
	if old != new {
		e.set(new, at, more...)
	}
}

func (e *editor) status(at yamledit.Path, n *yamledit.Node, before, after Status) {
	if isEmpty(n) {
		if after.Repository != "" || len(after.Tags) > 0 {
			e.set(statusValue(after), at)
		}
		return
	}
	if after.Repository == "" && before.Repository != "" {
		e.add(yamledit.Delete, nil, at, "dockerImageRepository")
	} else {
		e.text(before.Repository, after.Repository, at, "dockerImageRepository")
	}
	switch hasTags := !isEmpty(field(n, "tags")); {
	case !hasTags && len(after.Tags) > 0:
		e.set(tagValues(after.Tags), at, "tags")
	case hasTags && len(after.Tags) == 0:
		e.add(yamledit.Delete, nil, at, "tags")
	case hasTags:
		e.tags(slices.Concat(at, yamledit.Path{"tags"}), field(n, "tags"), before.Tags, after.Tags)
	}
}

func (e *editor) tags(at yamledit.Path, n *yamledit.Node, before, after []TagStatus) {
	index := func(tags []TagStatus, name string) int {
		return slices.IndexFunc(tags, func(t TagStatus) bool { return t.Tag == name })
	}
	next := 0 // where in the file the next new tag goes
	for _, t := range after {
		i := index(before, t.Tag)
		if i < 0 {
			e.add(yamledit.Insert, tagValue(t), at, next)
			continue
		}
		tag := slices.Concat(at, yamledit.Path{i})
		e.items(slices.Concat(tag, yamledit.Path{"items"}), field(n, i, "items"), before[i].Items, t.Items)
		e.conditions(slices.Concat(tag, yamledit.Path{"conditions"}), conditionsAt(field(n, i, "conditions")), before[i], t)
		next = i + 1
	}
	for i, t := range before {
		if index(after, t.Tag) < 0 {
			e.add(yamledit.Delete, nil, at, i)
		}
	}
}

// items turns one history into another: what is in both stays untouched.
func (e *editor) items(at yamledit.Path, n *yamledit.Node, before, after []Item) {
	switch {
	case len(before) == 0 && len(after) == 0:
		return
	case len(after) == 0 || isEmpty(n):
		e.set(itemValues(after), at)
		return
	}
	first := len(e.changes)
	defer func() { slices.Reverse(e.changes[first:]) }() // found from the end, made in the list's order
	i, j := len(before), len(after)
	for i > 0 || j > 0 {
		if j > 0 {
			if k := lastIndex(before[:i], after[j-1]); k >= 0 {
				for i--; i > k; i-- {
					e.add(yamledit.Delete, nil, at, i)
				}
				j--
				continue
			}
		}
		switch {
		case j == 0:
			i--
			e.add(yamledit.Delete, nil, at, i)
		case i > 0 && before[i-1].Created.Equal(after[j-1].Created):
			i, j = i-1, j-1
			e.text(before[i].Reference, after[j].Reference, at, i, "dockerImageReference")
			e.text(before[i].Image, after[j].Image, at, i, "image")
		default:
			j--
			e.add(yamledit.Insert, itemValue(after[j]), at, i)
		}
	}
}

func lastIndex(items []Item, item Item) int {
	for i := len(items) - 1; i >= 0; i-- {
		if same := items[i]; same.Created.Equal(item.Created) && same.Reference == item.Reference && same.Image == item.Image {
			return i
		}
	}
	return -1
}

// conditionsAt are the conditions of a tag, those of others among them. They have been
// checked: the text of a node is its value.
func conditionsAt(list *yamledit.Node) []imagev1.TagEventCondition {
	var cs []imagev1.TagEventCondition
	if list == nil {
		return nil
	}
	for i := range list.Content {
		since, _ := time.Parse(time.RFC3339, scalar(list, i, "lastTransitionTime"))
		cs = append(cs, imagev1.TagEventCondition{
			Type:               imagev1.TagEventConditionType(scalar(list, i, "type")),
			Status:             corev1.ConditionStatus(scalar(list, i, "status")),
			LastTransitionTime: metav1.NewTime(since),
			Reason:             scalar(list, i, "reason"),
			Message:            scalar(list, i, "message"),
		})
	}
	return cs
}

// conditions touches our two types only.
func (e *editor) conditions(at yamledit.Path, raw []imagev1.TagEventCondition, before, after TagStatus) {
	var gone []int
	var added yamledit.Seq
	if !before.Source.equal(after.Source) {
		switch i := sourceAt(raw); {
		case after.Source == nil:
			gone = append(gone, i)
		case i < 0:
			added = append(added, conditionValue(sourceCondition(*after.Source)))
		default:
			e.condition(at, i, raw[i], sourceCondition(*after.Source))
		}
	}
	if b, a := before.Failure, after.Failure; a == nil && b != nil {
		for i, c := range raw {
			if isFailure(c) {
				gone = append(gone, i)
			}
		}
	} else if a != nil && (b == nil || !b.same(a) || b.Message != a.Message || !b.Since.Equal(a.Since)) {
		if i := failureAt(raw); i < 0 {
			added = append(added, conditionValue(failureCondition(*a)))
		} else {
			e.condition(at, i, raw[i], failureCondition(*a))
		}
	}
	e.members(at, len(raw), gone, added)
}

// members takes conditions away and appends others. No empty list is left.
func (e *editor) members(at yamledit.Path, n int, gone []int, added yamledit.Seq) {
	switch {
	case len(gone) == n && len(added) > 0:
		e.set(added, at)
	case len(gone) == n && n > 0:
		e.add(yamledit.Delete, nil, at)
	default:
		for _, i := range gone {
			e.add(yamledit.Delete, nil, at, i)
		}
		for _, c := range added {
			e.add(yamledit.Insert, c, at, n)
		}
	}
}

// condition changes what differs of a condition that is there.
func (e *editor) condition(at yamledit.Path, i int, old, new imagev1.TagEventCondition) {
	e.text(string(old.Status), string(new.Status), at, i, "status")
	if !old.LastTransitionTime.Time.Equal(new.LastTransitionTime.Time) {
		e.set(new.LastTransitionTime.UTC().Format(time.RFC3339), at, i, "lastTransitionTime")
	}
	e.text(old.Reason, new.Reason, at, i, "reason")
	e.text(old.Message, new.Message, at, i, "message")
}
