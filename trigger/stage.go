package trigger

import (
	"regexp"
	"strings"
)

// stages are the names of the stages of a Dockerfile that begin above, in lower case: where one
// of them stands for an image, the image is that of the stage.
type stages struct {
	names map[string]bool
	open  bool // the line goes on with a FROM
}

var (
	stageBegins = regexp.MustCompile(`(?i)^FROM(?:\s|$)`)
	stageName   = regexp.MustCompile(`(?i)\sAS\s+([^\s\\]+)\s*\\?$`)
)

// read takes the name of a stage in that begins on a line. Blank lines and comments end none.
func (s *stages) read(line string) {
	line = strings.TrimSpace(line)
	switch {
	case len(line) > maxLine || !s.open && !stageBegins.MatchString(line):
		s.open = false
		return
	case line == "" || line[0] == '#':
		return
	}
	if m := stageName.FindStringSubmatch(" " + line); m != nil {
		if s.names == nil {
			s.names = map[string]bool{}
		}
		s.names[strings.ToLower(m[1])] = true
	}
	s.open = strings.HasSuffix(line, `\`)
}

// has reports whether a name is that of a stage, or of the empty one that needs no FROM.
func (s *stages) has(name string) bool {
	name = strings.ToLower(name)
	return name == "scratch" || s.names[name]
}
