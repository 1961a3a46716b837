package imagestream

import (
	"time"

	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/towpath/towpath/yamledit"
)

// New entries as they stand in a file: fields in this order, and nothing that only
// a server can know.

func statusValue(s Status) yamledit.Map {
	var m yamledit.Map
	if s.Repository != "" {
		m = append(m, yamledit.Entry{Key: "dockerImageRepository", Value: s.Repository})
	}
	if len(s.Tags) > 0 {
		m = append(m, yamledit.Entry{Key: "tags", Value: tagValues(s.Tags)})
	}
	return m
}

func tagValues(tags []TagStatus) yamledit.Seq {
	var seq yamledit.Seq
	for _, t := range tags {
		seq = append(seq, tagValue(t))
	}
	return seq
}

func tagValue(t TagStatus) yamledit.Map {
	m := yamledit.Map{{Key: "tag", Value: t.Tag}, {Key: "items", Value: itemValues(t.Items)}}
	var conditions yamledit.Seq
	if t.Source != nil {
		conditions = append(conditions, conditionValue(sourceCondition(*t.Source)))
	}
	if t.Failure != nil {
		conditions = append(conditions, conditionValue(failureCondition(*t.Failure)))
	}
	if conditions != nil {
		m = append(m, yamledit.Entry{Key: "conditions", Value: conditions})
	}
	return m
}

// itemValues is null where there are none, as OpenShift writes it.
func itemValues(items []Item) yamledit.Value {
	var seq yamledit.Seq
	for _, i := range items {
		seq = append(seq, itemValue(i))
	}
	if seq == nil {
		return nil
	}
	return seq
}

func itemValue(i Item) yamledit.Map {
	return yamledit.Map{
		{Key: "created", Value: i.Created.UTC().Format(time.RFC3339)},
		{Key: "dockerImageReference", Value: i.Reference},
		{Key: "image", Value: i.Image},
	}
}

func conditionValue(c imagev1.TagEventCondition) yamledit.Map {
	return yamledit.Map{
		{Key: "type", Value: string(c.Type)},
		{Key: "status", Value: string(c.Status)},
		{Key: "lastTransitionTime", Value: c.LastTransitionTime.UTC().Format(time.RFC3339)},
		{Key: "reason", Value: c.Reason},
		{Key: "message", Value: c.Message},
	}
}

func sourceCondition(s Source) imagev1.TagEventCondition {
	return imagev1.TagEventCondition{
		Type: conditionSource, Status: corev1.ConditionTrue,
		LastTransitionTime: metav1.NewTime(s.Since), Reason: reasonResolved, Message: s.String(),
	}
}

func failureCondition(f Failure) imagev1.TagEventCondition {
	return imagev1.TagEventCondition{
		Type: conditionImport, Status: corev1.ConditionFalse,
		LastTransitionTime: metav1.NewTime(f.Since), Reason: f.Reason, Message: f.line(),
	}
}
