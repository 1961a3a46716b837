package arch_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/towpath/towpath/"

// floors are the packages from the bottom up. Imports go down only; a package may
// import its own floor where the table below says so.
var floors = map[string]int{
	"yamledit": 0, "policy": 0, "window": 0, "spelling": 0,

	"imagestream": 1, "config": 1, "gitstore": 1, "registry": 1, "forge": 1,
	"trigger": 2,

	"reconcile": 3,

	"web": 4, "hooks": 4, "notify": 4,

	"gitstore/gogit": 4, "gitstore/memory": 4, "gitstore/storetest": 4, "gitstore/gittest": 4,
	"registry/remote": 4, "registry/memory": 4, "registry/registrytest": 4, "registry/integrated": 4,
	"registry/counter": 5, // between integrated and the line

	"forge/gitea/giteatest": 4,
	"forge/wire":            4, "forge/memory": 4, "forge/forgetest": 4,
	"forge/github": 5, "forge/gitlab": 5, "forge/gitea": 5, // on wire

	"examples":    4,
	"cmd/towpath": 6,

	"internal/headroom": 0, "internal/serving": 0, "internal/authorities": 0,

	"internal/arch": 7, "internal/bench": 7, "internal/corpus": 7, "internal/seeds": 7, "internal/spent": 7,
}

// may lists what a package may import of ours, beside the standard library. Each
// has its reason.
var may = map[string]struct {
	ours []string
	why  string
}{
	"yamledit":              {nil, "it edits text, and must not know what a value means"},
	"spelling":              {nil, "it knows letters"},
	"policy":                {[]string{"spelling"}, "it chooses among names and facts, and must not know where they come from"},
	"gitstore":              {nil, "a contract: nouns only, so that every store can stand below it"},
	"registry":              {nil, "a contract: nouns only, so that every reader can stand below it"},
	"imagestream":           {[]string{"yamledit", "policy"}, "the vocabulary knows files, and neither Git nor registries"},
	"window":                {nil, "it knows times, and not what they are for"},
	"config":                {[]string{"yamledit", "window", "spelling", "imagestream"}, "bytes in, values and problems out; it opens nothing"},
	"trigger":               {[]string{"yamledit", "spelling", "imagestream"}, "a site is in a file; commits and registries are not its business"},
	"reconcile":             {[]string{"yamledit", "policy", "window", "imagestream", "config", "trigger", "gitstore", "registry", "forge"}, "the line: pure packages and contracts, no implementation by name"},
	"web":                   {[]string{"internal/serving"}, "it shows what it is handed, and can change nothing"},
	"hooks":                 {[]string{"registry", "internal/serving"}, "it knows payloads; whose they are, and what follows, is not its business"},
	"notify":                {[]string{"internal/authorities"}, "it tells others what it is handed, and decides nothing"},
	"gitstore/gogit":        {[]string{"gitstore"}, "a store knows no YAML and no images"},
	"gitstore/memory":       {[]string{"gitstore"}, "a store knows no YAML and no images"},
	"gitstore/storetest":    {[]string{"gitstore", "gitstore/gittest", "gitstore/memory"}, "the contract of stores is about stores, and the worlds that other people change"},
	"gitstore/gittest":      {nil, "real repositories for tests, for whatever store"},
	"registry/remote":       {[]string{"registry", "internal/authorities"}, "a reader knows no streams and no Git"},
	"registry/memory":       {[]string{"registry"}, "a reader knows no streams and no Git"},
	"registry/registrytest": {[]string{"registry"}, "the contract of readers is about readers alone"},
	"registry/counter":      {[]string{"reconcile", "imagestream", "registry", "registry/integrated"}, "it translates between a registry and the line"},
	"registry/integrated":   {[]string{"registry"}, "a registry knows no streams and no Git"},
	"forge":                 {nil, "a contract: nouns only, so that every forge can stand below it"},
	"forge/wire":            {[]string{"forge", "internal/authorities"}, "it carries requests, whatever they are about"},
	"forge/memory":          {[]string{"forge"}, "a forge knows no YAML and no images"},
	"forge/forgetest":       {[]string{"forge"}, "the contract of forges is about forges alone"},
	"forge/github":          {[]string{"forge", "forge/wire", "gitstore"}, "a forge knows no other; of Git what a commit is, to have one made and signed"},
	"forge/gitlab":          {[]string{"forge", "forge/wire"}, "a forge knows no other"},
	"forge/gitea":           {[]string{"forge", "forge/wire"}, "a forge knows no other"},
	"forge/gitea/giteatest": {nil, "a real forge for tests"},
	"examples":              {nil, "files for people to copy"},
	"internal/headroom":     {nil, "it knows the heap"},
	"internal/serving":      {nil, "it knows listeners"},
	"internal/authorities":  {nil, "it knows files"},
	"internal/seeds":        {nil, "for tests alone"},
	"internal/spent":        {nil, "for tests alone"},
}

// without lists what a package must not import from anywhere.
var without = map[string]map[string]string{
	"reconcile": {
		"net":      "the line speaks through contracts",
		"net/http": "the line speaks through contracts",
		"os":       "the line reads no file and no environment",
		"os/exec":  "the line starts no process",
	},
	"gitstore/gogit": {"os/exec": "no git binary is needed at run time"},
	"yamledit":       {"os": "text in, text out"},
	"imagestream":    {"os": "bytes in, values out"},
	"config":         {"os": "bytes in, values out"},
	"policy":         {"os": "values in, values out"},
	"trigger":        {"os": "bytes in, values out"},
}

// contracts may import the standard library only.
var contracts = []string{"gitstore", "registry", "forge"}

type pkg struct {
	comments int // files with a package comment
	imports  map[string]bool
}

func TestImports(t *testing.T) {
	for name, p := range packages(t) {
		floor, ok := floors[name]
		if !ok {
			t.Errorf("%s has no floor: say in this table where it stands", name)
			continue
		}
		rule, limited := may[name]
		for imp := range p.imports {
			if why := without[name][imp]; why != "" {
				t.Errorf("%s imports %s: %s", name, imp, why)
			}
			ours, isOurs := strings.CutPrefix(imp, module)
			switch {
			case !isOurs && slices.Contains(contracts, name) && strings.Contains(imp, "."):
				t.Errorf("%s imports %s: a contract stands on the standard library alone", name, imp)
			case !isOurs:
			case limited && !slices.Contains(rule.ours, ours):
				t.Errorf("%s imports %s: %s", name, ours, rule.why)
			case floors[ours] > floor:
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down only", name, floor, ours, floors[ours])
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for name, p := range packages(t) {
		if p.comments != 1 {
			t.Errorf("%s has %d package comments: one file says what the package knows, and what it must not", name, p.comments)
		}
	}
}

// TestExamplesAreRun: every directory of examples is named by a test.
func TestExamplesAreRun(t *testing.T) {
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	walk(t, func(file string) {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "testdata/") {
			src, err := os.ReadFile(filepath.Join("../..", file))
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(src)
		}
	})
	for _, e := range entries {
		if e.Name() != "examples.go" && !strings.Contains(tests.String(), "examples/"+e.Name()) {
			t.Errorf("examples/%s is named by no test: what is not run does not stay true", e.Name())
		}
	}
}

// packages reads the tree's packages, tests left out.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	found := map[string]pkg{}
	walk(t, func(file string) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "testdata/") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		p := found[path.Dir(file)]
		if p.imports == nil {
			p.imports = map[string]bool{}
		}
		if f.Doc != nil {
			p.comments++
		}
		for _, imp := range f.Imports {
			s, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			p.imports[s] = true
		}
		found[path.Dir(file)] = p
	})
	if len(found) < len(may) {
		t.Fatalf("only %v found", slices.Sorted(maps.Keys(found)))
	}
	return found
}

func walk(t *testing.T, visit func(file string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("../.."), ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == ".git" || e.Name() == "bin") {
			return fs.SkipDir
		}
		if !e.IsDir() {
			visit(file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
