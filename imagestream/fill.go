package imagestream

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/towpath/towpath/yamledit"
)

// fill sets v to what a node says that holds no anchors, aliases, tags or merge keys.
// What is not of its type is left out: the check has said so.
func fill(v reflect.Value, n *yamledit.Node) {
	if isNull(n) {
		return
	}
	t := v.Type()
	switch kind := t.Kind(); {
	case t == timeType:
		if at, err := time.Parse(time.RFC3339, n.Value); err == nil {
			v.Set(reflect.ValueOf(metav1.NewTime(at)))
		}
	case kind == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		fill(v.Elem(), n)
	case n.Kind == yaml.MappingNode && kind == reflect.Struct:
		members := streamSchema[t]
		for i := 0; i < len(n.Content); i += 2 {
			if m, known := members[n.Content[i].Value]; known {
				fill(v.Field(m.index), n.Content[i+1])
			}
		}
	case n.Kind == yaml.MappingNode && kind == reflect.Map:
		v.Set(reflect.MakeMapWithSize(t, len(n.Content)/2))
		for i := 0; i < len(n.Content); i += 2 {
			e := reflect.New(t.Elem()).Elem()
			fill(e, n.Content[i+1])
			v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), e)
		}
	case n.Kind == yaml.SequenceNode && kind == reflect.Slice:
		v.Set(reflect.MakeSlice(t, len(n.Content), len(n.Content)))
		for i, e := range n.Content {
			fill(v.Index(i), e)
		}
	case n.Kind == yaml.ScalarNode:
		fillScalar(v, n)
	}
}

func fillScalar(v reflect.Value, n *yamledit.Node) {
	switch v.Kind() {
	case reflect.String:
		if isText(n) {
			v.SetString(n.Value)
		}
	case reflect.Bool:
		v.SetBool(plain(n) && strings.EqualFold(n.Value, "true"))
	case reflect.Int64:
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil && plain(n) {
			v.SetInt(i)
		}
	}
}
