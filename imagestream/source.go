package imagestream

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
)

var inputs = regexp.MustCompile(`^inputs=([0-9a-f]{8})$`)

// String is the line that stands in Git:
//
//	quay.io/a/b:1.4.3 Legacy linux/amd64 inputs=5f0c2a1b revision=0a1b2c3 source=https://git.example.com/a/b
//
// The platform is left out where there is none; so is each label. Since is not part of
// it.
func (s Source) String() string {
	words := []string{s.From, s.Mode}
	if s.Platform != "" {
		words = append(words, s.Platform)
	}
	words = append(words, "inputs="+s.Inputs)
	for _, l := range s.Labels.list() {
		if *l.value != "" {
			words = append(words, l.key+"="+*l.value)
		}
	}
	return strings.Join(words, " ")
}

// ParseSource reads a line that String wrote. Words after the inputs that are no labels
// are left to others. It reports false for any other text.
func ParseSource(line string) (Source, bool) {
	words := strings.Fields(line)
	if len(words) < 3 {
		return Source{}, false
	}
	s := Source{From: words[0], Mode: words[1]}
	words = words[2:]
	if !inputs.MatchString(words[0]) {
		s.Platform, words = words[0], words[1:]
	}
	if len(words) == 0 || !inputs.MatchString(words[0]) {
		return Source{}, false
	}
	s.Inputs = strings.TrimPrefix(words[0], "inputs=")
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		for _, l := range s.Labels.list() {
			if l.key == key && *l.value == "" && inert(value) == value {
				*l.value = value
			}
		}
	}
	return s, s.Mode == Legacy || s.Mode == PreserveOriginal
}

// Inputs is a hash of what decides the image of a tag: where it comes from, the mode
// and platform that hold for it, and whatever else decides (policies). Eight hex
// digits.
func (f From) Inputs(mode, platform string, more ...string) string {
	return hash(append([]string{f.Kind, f.Namespace, f.Name, mode, platform}, more...))
}

// Inputs is a hash of what decides the images of a repository import.
func (s Spec) Inputs(mode, platform string, more ...string) string {
	return hash(append([]string{"dockerImageRepository", "", s.Repository, mode, platform}, more...))
}

func hash(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%s,%s", strconv.Itoa(len(p)), p) // lengths keep neighbours apart
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// Same reports whether two sources say the same of where an image came from, whenever
// they said so and whatever its labels are.
func (s *Source) Same(t *Source) bool {
	return s == t || s != nil && t != nil &&
		s.From == t.From && s.Mode == t.Mode && s.Platform == t.Platform && s.Inputs == t.Inputs
}

// next is the source to record after s: s itself where nothing is new. Labels are those
// of the image: they come and go with it, so that no commit is made for them alone, and
// stay where nobody looked again.
func (s *Source) next(t *Source, moved bool, o Options) *Source {
	if s == nil || t == nil {
		return since(t, o)
	}
	labels := t.Labels
	if !moved && (s.Same(t) || labels == Labels{}) {
		labels = s.Labels
	}
	switch {
	case !s.Same(t):
		s = since(t, o)
		s.Labels = labels
	case s.Labels != labels:
		relabelled := *s
		relabelled.Labels = labels
		s = &relabelled
	}
	return s
}

// equal reports whether two sources are written alike.
func (s *Source) equal(t *Source) bool {
	return s == t || s.Same(t) && s.Labels == t.Labels && s.Since.Equal(t.Since)
}

func readSource(c imagev1.TagEventCondition) *Source {
	s, ok := ParseSource(c.Message)
	if !ok || c.Status != corev1.ConditionTrue {
		return nil
	}
	s.Since = c.LastTransitionTime.UTC()
	return &s
}

// line is the message that stands in Git: what was asked for, and why it failed.
func (f Failure) line() string {
	if f.From == "" {
		return f.Message
	}
	return f.From + ": " + f.Message
}

func readFailure(c imagev1.TagEventCondition) *Failure {
	f := Failure{Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime.UTC()}
	if from, why, ok := strings.Cut(c.Message, ": "); ok && from != "" && !strings.ContainsAny(from, " \t\n") {
		f.From, f.Message = from, why
	}
	return &f
}

// same reports whether two failures are one that goes on.
func (f *Failure) same(g *Failure) bool {
	return f == g || f != nil && g != nil && f.Reason == g.Reason && f.From == g.From
}
