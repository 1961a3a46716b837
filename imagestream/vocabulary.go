package imagestream

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/yamledit"
)

// A Name names an image stream.
type Name struct{ Namespace, Name string }

// String is namespace/name, or name where there is no namespace.
func (n Name) String() string {
	if n.Namespace == "" {
		return n.Name
	}
	return n.Namespace + "/" + n.Name
}

// A TagRef names a tag of an image stream.
type TagRef struct {
	Stream Name
	Tag    string
}

// String is namespace/name:tag, or the stream's name where there is no tag.
func (t TagRef) String() string {
	if t.Tag == "" {
		return t.Stream.String()
	}
	return t.Stream.String() + ":" + t.Tag
}

// A Problem is something in a file that a person must put right. Everything
// that has none goes on.
type Problem struct {
	Path      string // of the file
	Line, Col int    // from 1; 0 where the whole file is meant
	What      string // what is wrong
	Fix       string // the next step, or the line to write
	Note      bool   // worth saying once; nothing is wrong
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.Path, p.Line, p.Col, p.What)
}

// A Document is one ImageStream as a file says it. Its namespace is empty where
// the file gives none.
type Document struct {
	Doc       int           // which document of the file
	At        yamledit.Path // where in it: empty, or items and an index in a List
	Line, Col int
	Name      Name
	// Insecure is the annotation openshift.io/image.insecureRepository; it
	// counts for the import of Spec.Repository only.
	Insecure bool
	// Scheduled, Interval and Settle are annotations towpath.dev/… of the stream, and
	// count for the import of Spec.Repository only. Scheduled is what is written, and
	// otherwise true where there is an Interval; 0 and nil leave the others to the
	// repository's config.
	Scheduled bool
	Interval  time.Duration
	Settle    *time.Duration
	// Checked reports whether the annotation
	// openshift.io/image.dockerRepositoryCheck is there.
	Checked bool
	Spec    Spec
	Status  Status
	// Malformed says that the status cannot be read, or is too large. Status is
	// empty then and says nothing: no tag of the stream is asked for, written or
	// followed until a person has put it right.
	Malformed bool
}

// A Spec is what is wanted.
type Spec struct {
	Repository string // dockerImageRepository, as written
	Tags       []Tag  // in the file's order, names unique
	// Broken are the names of tags that have a problem, in the file's order. They
	// are not in Tags. What is on record for them stands, but nobody is moved by it:
	// what the author wants (referencePolicy, for one) is not known.
	Broken []string
}

// A Tag is a tag that is wanted.
type Tag struct {
	Name      string
	Line, Col int
	From      From
	Reference bool
	Insecure  bool
	// Scheduled is importPolicy.scheduled where that is written, and otherwise true
	// for tags that have a policy or an interval: these make no sense asked once.
	Scheduled  bool
	ImportMode string // "", Legacy or PreserveOriginal
	Local      bool   // referencePolicy Local
	// Policy chooses a tag of the repository that From.Name names (annotations
	// towpath.dev/policy and those beside it); nil where From.Name is the image.
	Policy *policy.Policy
	// Interval is between two imports (annotation towpath.dev/interval); 0 leaves it
	// to the repository's config.
	Interval time.Duration
	// Settle is how long an image must stand unchanged before it is recorded
	// (annotation towpath.dev/settle); nil leaves it to the repository's config.
	Settle     *time.Duration
	PreferOS   string // annotation importer.image.openshift.io/prefer-os
	PreferArch string // annotation importer.image.openshift.io/prefer-arch
}

// A From says where a tag's image comes from. The zero From is a tag that is
// only pushed to.
type From struct{ Kind, Namespace, Name string } // Kind: DockerImage, ImageStreamTag, ImageStreamImage

// A Status is what is on record.
type Status struct {
	Repository string      // dockerImageRepository
	Tags       []TagStatus // in the file's order
}

// A TagStatus is the record of a tag.
type TagStatus struct {
	Tag    string
	Items  []Item // newest first; Items[0] is current
	Source *Source
	// Served says that an API server wrote Items[0]: it has a generation, which towpath
	// keeps and never writes.
	Served  bool
	Failure *Failure // the ImportSuccess condition when it is False
	// Others says that the file has conditions for it that are neither Source nor Failure.
	Others bool
}

// An Item is an image that a tag was, from a moment on.
type Item struct {
	Created   time.Time
	Reference string // dockerImageReference, e.g. redis@sha256:…
	Image     string // digest, or what old servers wrote; empty for reference tags
}

// A Source says what Items[0] was resolved from. It is the condition
// towpath.dev/Source, whose message is one line that parses back.
type Source struct {
	From     string // reference as written: quay.io/a/b:1.4.3
	Mode     string // Legacy or PreserveOriginal
	Platform string // linux/amd64
	Inputs   string // eight hex digits: a hash of every spec input that decided it
	Labels   Labels // of the image, where the repository's config wants them on record
	Since    time.Time
}

// Labels are what an image says of its origin, made fit for a line (LabelsOf); empty
// where it says nothing.
type Labels struct {
	Revision string // org.opencontainers.image.revision
	Source   string // org.opencontainers.image.source
	Version  string // org.opencontainers.image.version
	Created  string // org.opencontainers.image.created
}

// A Failure is an import that failed lastingly. Two failures are the same when
// Reason and From are: texts vary.
type Failure struct {
	Reason  string // a registry.Kind
	From    string // the reference that was asked for, as written; empty in records of old servers
	Message string // why, without From
	Since   time.Time
}

// An Event is what the answer for one tag means for its record.
type Event struct {
	Tag string
	// Item is the image that it is now, when the import succeeded. A zero Created
	// stands for Options.Now.
	Item *Item
	// Source goes with Item; nil takes a recorded one away (reference tags and
	// aliases have none).
	Source *Source
	// At is when it was learned, where that was not at Options.Now.
	At time.Time
	// Failure is why the import failed.
	Failure *Failure
	// Clear says that a recorded failure is over. An Item that moves the record clears
	// it, too; one that does not leaves it to the caller when to write that.
	Clear bool
}
