package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A Served is the registry that towpath serves: where, from which storage, and who may do what
// there.
type Served struct {
	At            Position
	Listen        Address       `yaml:"listen"`  // empty: as whoever serves it has it
	Storage       File          `yaml:"storage"` // directory of the blobs
	StorageDriver StorageDriver `yaml:"storage-driver"`
	CertFile      File          `yaml:"cert-file"`
	KeyFile       File          `yaml:"key-file"`
	UsersFile     File          `yaml:"users-file"`
	Tokens        []Robot       `yaml:"tokens" max:"500"`
	Access        []Access      `yaml:"access" max:"500"`
	AnonymousPull Anonymous     `yaml:"anonymous-pull"`
	ImmutableTags []Glob        `yaml:"immutable-tags" max:"100"`
	Delete        bool          `yaml:"delete"`
	Limits        ServedLimits  `yaml:"limits"`
}

// A Robot is a token that may be used in place of a user and a password.
type Robot struct {
	At   Position
	Name Login `yaml:"name" need:"true"`
	File File  `yaml:"file" need:"true"`
}

// An Access says who may do what in which namespaces.
type Access struct {
	At         Position
	Who        []Login `yaml:"who" need:"true" max:"1000"`
	Namespaces []Glob  `yaml:"namespaces" need:"true" max:"100"`
	May        []Right `yaml:"may" need:"true" max:"3"`
}

// ServedLimits bound what clients cost; zero is the default of the registry.
type ServedLimits struct {
	At                Position
	BlobSize          Size    `yaml:"blob-size"`
	NamespaceSize     Size    `yaml:"namespace-size"` // 0: any
	KeepFree          Size    `yaml:"keep-free"`      // of the storage's volume
	UploadsOpen       int     `yaml:"uploads-open" min:"1" max:"10000"`
	RequestsPerSecond float64 `yaml:"requests-per-second" min:"0.1" max:"100000"`
	Concurrency       int     `yaml:"concurrency" min:"1" max:"10000"`
}

// checkServed says what contradicts itself in the registry that is served.
func (d *decoder) checkServed(s Served) {
	if s.Storage != "" && s.StorageDriver.Name != "" {
		d.add(s.At, "registry.storage and registry.storage-driver are both there", "remove one of the two")
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		d.add(s.At, "one of registry.cert-file and registry.key-file is missing", "name both, or none")
	}
	if s.Limits.KeepFree > 0 && s.StorageDriver.Name != "" {
		d.add(s.Limits.At, "registry.limits.keep-free is of a volume, and registry.storage-driver has none", "remove keep-free")
	}
	names := map[Login]bool{}
	for _, t := range s.Tokens {
		if t.Name == everybody {
			d.add(t.At, "a token cannot be called *", "give it the name of what uses it, such as ci")
		}
		if names[t.Name] {
			d.add(t.At, "registry token "+string(t.Name)+" is there twice", "give each a name of its own")
		}
		names[t.Name] = true
	}
	for _, a := range s.Access {
		d.checkAccess(a, s)
	}
}

func (d *decoder) checkAccess(a Access, s Served) {
	switch {
	case len(a.Who) == 0 || len(a.Namespaces) == 0 || len(a.May) == 0:
		d.add(a.At, "the access entry has an empty list, and so grants nothing", "write something into who, namespaces and may, or remove the entry")
	case s.UsersFile == "" && len(s.Tokens) == 0:
		d.add(a.At, "the access entry grants nothing: nobody can log in", "add users-file:, which htpasswd -B writes, or tokens:")
	case !s.Delete && slices.Contains(a.May, "delete"):
		d.add(a.At, "the access entry grants delete, and nothing is deleted from this registry", "add delete: true below registry:, or remove delete from may")
	}
	for _, who := range a.Who {
		if s.UsersFile == "" && who != everybody && !slices.ContainsFunc(s.Tokens, func(t Robot) bool { return t.Name == who }) && len(s.Tokens) > 0 {
			d.add(a.At, "registry access names "+string(who)+", and no token is called so", "name one of tokens, or add users-file:")
		}
	}
}

// files are those that the section names.
func (s *Served) files() []*File {
	files := []*File{&s.Storage, &s.CertFile, &s.KeyFile, &s.UsersFile}
	for i := range s.Tokens {
		files = append(files, &s.Tokens[i].File)
	}
	return files
}

// in makes the files relative to a directory that a driver's parameters name.
func (sd StorageDriver) in(dir string) {
	for key, f := range sd.Files {
		if !filepath.IsAbs(string(f)) {
			sd.Files[key] = File(filepath.Join(dir, string(f)))
		}
	}
}

// A Login is the name of a user or a robot; * is any of them.
type Login string

const everybody = "*"

const aLogin = `^(?:\*|[A-Za-z0-9._@+-]{1,128})$`

var login = regexp.MustCompile(aLogin)

func (l *Login) set(text string) error {
	if !login.MatchString(text) {
		return &wrong{"is not the name of a user or robot", "write letters, digits and - . _ @ + alone, at most 128; * in quotes is any user or robot"}
	}
	*l = Login(text)
	return nil
}

// A Right is pull, push or delete.
type Right string

func (r *Right) set(text string) error {
	if text != "pull" && text != "push" && text != "delete" {
		return &wrong{"is not a right", "write pull, push or delete"}
	}
	*r = Right(text)
	return nil
}

// A Size is a number of bytes.
type Size int64

const aSize = `^[1-9][0-9]{0,5}(?:KiB|MiB|GiB|TiB)$`

var size = regexp.MustCompile(aSize)

func (s *Size) set(text string) error {
	if !size.MatchString(text) {
		return &wrong{"is not a size", "write a whole number and KiB, MiB, GiB or TiB, such as 10GiB"}
	}
	cut := len(text) - len("GiB")
	n, _ := strconv.ParseInt(text[:cut], 10, 64) // six digits
	*s = Size(n << (10 * (1 + strings.IndexByte("KMGT", text[cut]))))
	return nil
}

// Anonymous is what anybody may pull: nothing, all, or what is in some namespaces.
type Anonymous []Glob

func (a *Anonymous) decodeNode(d *decoder, n *yaml.Node, key string) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		if n.Value == "true" || n.Value == "True" || n.Value == "TRUE" {
			var all Glob
			_ = all.set("**") // it is a glob
			*a = Anonymous{all}
		}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 100:
		d.add(at(n), key+" has more than 100 entries", "remove some, or join them")
	case n.Kind == yaml.SequenceNode:
		*a = make(Anonymous, len(n.Content))
		for i, e := range n.Content {
			for e.Kind == yaml.AliasNode {
				e = e.Alias
			}
			d.word(e, key+"["+strconv.Itoa(i)+"]", &(*a)[i])
		}
	default:
		d.add(at(n), key+" must be true, false or a list of namespaces", "write "+last(key)+": true, or "+last(key)+": [team1, \"shared-*\"]")
	}
}

// A StorageDriver is storage that is elsewhere: one of the drivers of distribution, with
// its own parameters. Secrets stand in files: the key of a parameter with -file behind it
// names one.
type StorageDriver struct {
	Name       string
	Parameters map[string]any
	Files      map[string]File // by parameter: files that hold their values
}

var (
	storageDrivers    = []string{"azure", "gcs", "s3"}
	storageSecrets    = []string{"accesskey", "secretkey", "sessiontoken", "accountkey", "secret", "credentials"}
	storageDriverWord = "write one of " + strings.Join(storageDrivers, ", ") + " and its parameters below it, as distribution has them"
)

const aParameter = `^[a-z][a-z0-9]{0,40}(?:-file)?$`

var parameter = regexp.MustCompile(aParameter)

func (sd *StorageDriver) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 || !slices.Contains(storageDrivers, n.Content[0].Value) {
		d.add(at(n), key+" must have one driver", storageDriverWord)
		return
	}
	sd.Name = n.Content[0].Value
	key = join(key, sd.Name)
	inner := n.Content[1]
	for inner.Kind == yaml.AliasNode {
		inner = inner.Alias
	}
	if inner.Kind != yaml.MappingNode {
		d.add(at(inner), key+" must be a mapping", "write its parameters below it, one a line")
		return
	}
	sd.Parameters, sd.Files = map[string]any{}, map[string]File{}
	for i := 0; i+1 < len(inner.Content); i += 2 {
		sd.parameter(d, inner.Content[i], inner.Content[i+1], key)
	}
	for own := range sd.Files {
		if _, both := sd.Parameters[own]; both {
			d.add(at(inner), join(key, own)+" and "+own+"-file are both there", "remove one of the two")
		}
	}
}

// parameter takes one parameter: text, a number or a switch.
func (sd *StorageDriver) parameter(d *decoder, k, n *yaml.Node, key string) {
	where := at(n)
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	own, isFile := strings.CutSuffix(k.Value, "-file")
	key = join(key, k.Value)
	switch {
	case !parameter.MatchString(k.Value):
		d.add(at(k), "a parameter of registry.storage-driver is not spelled as distribution does", "write it in lower case, such as rootdirectory")
	case slices.Contains(storageSecrets, k.Value):
		d.add(where, key+" is a secret, and secrets stand in files of their own", "write "+k.Value+"-file: and the name of a file that holds it, or leave it to the environment of the provider's own tools")
	case n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" || n.Value == "":
		d.add(where, key+" must have one value", "write text, a number, true or false")
	case isFile:
		if text, ok := d.text(n, key); ok {
			sd.Files[own] = File(text)
		}
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			d.add(where, key+" cannot be read", "put the value in quotes")
			return
		}
		sd.Parameters[k.Value] = v
	}
}
