package imagestream

import (
	"fmt"
	"slices"

	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"
	corev1 "k8s.io/api/core/v1"

	"github.com/towpath/towpath/yamledit"
)

// The conditions of a tag that are ours. Other types are somebody else's and stay.
const (
	conditionSource = "towpath.dev/Source"
	conditionImport = "ImportSuccess"
	reasonResolved  = "Resolved"
)

// What a status may hold at most. More is no record that anybody keeps.
const (
	maxItems      = 50_000 // items, over all tags
	maxConditions = 100    // of a tag
)

// status reads what is on record. Whoever wrote it: when it is well formed it is the
// record; when it is not, the document is marked.
func (p *parser) status(d *Document, n *yamledit.Node, o *object) {
	p.mode = inStatus
	before := len(p.problems)
	var s imagev1.ImageStreamStatus
	p.nodes = p.nodes || o.apart
	if p.bounded(n) && p.decode(n, o.Status, &s, "status") {
		p.checkStatus(n, s)
	}
	if d.Malformed = len(p.problems) > before; !d.Malformed {
		d.Status = record(s)
	}
}

// bounded counts before anything is made of it.
func (p *parser) bounded(n *yamledit.Node) bool {
	tags := field(n, "tags")
	if tags == nil || tags.Kind != yaml.SequenceNode {
		return true
	}
	items := 0
	for _, tag := range tags.Content {
		if list := field(tag, "items"); list != nil {
			items += len(list.Content)
		}
		if list := field(tag, "conditions"); list != nil && len(list.Content) > maxConditions {
			p.problem(list, fmt.Sprintf("a tag has more than %d conditions", maxConditions), "remove this status: it is asked for again")
			return false
		}
	}
	if max(items, len(tags.Content)) > maxItems {
		p.problem(tags, fmt.Sprintf("the status holds more than %d items", maxItems), "remove old items, or the whole status: it is asked for again")
		return false
	}
	return true
}

func (p *parser) checkStatus(n *yamledit.Node, raw imagev1.ImageStreamStatus) {
	if repository := raw.DockerImageRepository; repository != "" {
		if what, _ := checkReference(repository); what != "" {
			p.problem(nearest(n, "dockerImageRepository"), fmt.Sprintf("the status names the repository %q: %s", repository, what),
				"remove this line")
		}
	}
	tags := field(n, "tags")
	first := map[string]int{}
	for i, t := range raw.Tags {
		at := tags.Content[i]
		if !isTagName(t.Tag) {
			p.problem(nearest(at, "tag"), fmt.Sprintf("%q cannot name a tag of the status", t.Tag), "remove this entry: what is wanted is asked for again")
			continue
		}
		if j, twice := first[t.Tag]; twice {
			p.problem(at, fmt.Sprintf("tag %s is twice in the status, at lines %d and %d", t.Tag, tags.Content[j].Line, at.Line), "remove one of them")
			continue
		}
		first[t.Tag] = i
		for j, item := range t.Items {
			p.checkItem(nearest(at, "items", j), t.Tag, item)
		}
	}
}

func (p *parser) checkItem(n *yamledit.Node, tag string, item imagev1.TagEvent) {
	const fix = "put back what stood here, or remove this item"
	if item.DockerImageReference == "" {
		p.problem(n, fmt.Sprintf("tag %s: an item of the status has no dockerImageReference", tag), fix)
	} else if what, _ := p.reference(item.DockerImageReference); what != "" {
		p.problem(nearest(n, "dockerImageReference"), fmt.Sprintf("tag %s: dockerImageReference %q: %s", tag, item.DockerImageReference, what), fix)
	}
	if image := item.Image; image != "" && !isDigest(image) && !isOldID(image) {
		p.problem(nearest(n, "image"), fmt.Sprintf("tag %s: %q is no digest", tag, image), fix)
	}
}

// record is what a status says to us.
func record(raw imagev1.ImageStreamStatus) Status {
	s := Status{Repository: raw.DockerImageRepository}
	s.Tags = slices.Grow(s.Tags, len(raw.Tags))
	for _, t := range raw.Tags {
		tag := TagStatus{Tag: t.Tag}
		tag.Items = slices.Grow(tag.Items, len(t.Items))
		for _, item := range t.Items {
			tag.Items = append(tag.Items, Item{item.Created.UTC(), item.DockerImageReference, item.Image})
		}
		tag.Served = len(t.Items) > 0 && t.Items[0].Generation != 0
		source := sourceAt(t.Conditions)
		if source >= 0 {
			tag.Source = readSource(t.Conditions[source])
		}
		if i := failureAt(t.Conditions); i >= 0 && isFailure(t.Conditions[i]) {
			tag.Failure = readFailure(t.Conditions[i])
		}
		for i, c := range t.Conditions {
			if !isFailure(c) && !(i == source && tag.Source != nil) {
				tag.Others = true
			}
		}
		s.Tags = append(s.Tags, tag)
	}
	return s
}

// sourceAt is the index of the Source condition; -1 where there is none.
func sourceAt(cs []imagev1.TagEventCondition) int {
	for i, c := range cs {
		if c.Type == conditionSource {
			return i
		}
	}
	return -1
}

func isFailure(c imagev1.TagEventCondition) bool {
	return c.Type == conditionImport && c.Status == corev1.ConditionFalse
}

// failureAt is the index of the ImportSuccess condition that says what failed, or else of
// any; -1 where there is none.
func failureAt(cs []imagev1.TagEventCondition) int {
	found := -1
	for i, c := range cs {
		if c.Type != conditionImport {
			continue
		}
		if c.Status == corev1.ConditionFalse {
			return i
		}
		if found < 0 {
			found = i
		}
	}
	return found
}
