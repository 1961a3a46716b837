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
//	quay.io/a/b:1.4.3 Legacy linux/amd64 inputs=5f0c2a1b
//
// The platform is left out where there is none. Since is not part of it.
func (s Source) String() string {
	words := []string{s.From, s.Mode}
	if s.Platform != "" {
		words = append(words, s.Platform)
	}
	return strings.Join(append(words, "inputs="+s.Inputs), " ")
}

// ParseSource reads a line that String wrote. Words that follow the inputs are
// left to others. It reports false for any other text.
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

// same reports whether two sources say the same, whenever they said so.
func (s *Source) same(t *Source) bool {
	return s == t || s != nil && t != nil && s.String() == t.String()
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
