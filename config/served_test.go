package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServed(t *testing.T) {
	o, problems := ParseOperator("operator.yaml", []byte(`registry:
  listen: :5000
  storage-driver: {s3: {region: eu-central-1, bucket: images, secure: true, chunksize: 5242880, secretkey-file: s3}}
  cert-file: c.pem
  key-file: /k.pem
  users-file: users
  tokens: [{name: ci, file: ci}]
  access: [{who: [alice, "*"], namespaces: [team1], may: [pull, push, delete]}]
  anonymous-pull: true
  immutable-tags: [v*]
  delete: true
  limits: {blob-size: 1TiB, namespace-size: 3KiB, uploads-open: 7, requests-per-second: 0.5}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	o.In("/etc")
	s := o.Registry
	if diff := cmp.Diff(map[string]any{"region": "eu-central-1", "bucket": "images", "secure": true, "chunksize": 5242880}, s.StorageDriver.Parameters); diff != "" || s.StorageDriver.Name != "s3" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	got := []File{s.StorageDriver.Files["secretkey"], s.CertFile, s.KeyFile, s.UsersFile, s.Tokens[0].File, s.Storage}
	if diff := cmp.Diff([]File{"/etc/s3", "/etc/c.pem", "/k.pem", "/etc/users", "/etc/ci", ""}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if l := s.Limits; l.BlobSize != 1<<40 || l.NamespaceSize != 3<<10 || l.UploadsOpen != 7 || l.RequestsPerSecond != 0.5 || l.KeepFree != 0 {
		t.Errorf("limits %+v", l)
	}
	if len(s.AnonymousPull) != 1 || !s.AnonymousPull[0].Match("any") || !s.ImmutableTags[0].Match("v1.0") || s.ImmutableTags[0].Match("latest") {
		t.Errorf("globs %v %v", s.AnonymousPull, s.ImmutableTags)
	}
	if o, _ := ParseOperator("operator.yaml", []byte("registry: {anonymous-pull: false}\n")); len(o.Registry.AnonymousPull) != 0 {
		t.Error("false lets somebody in")
	}
}

func TestServedProblems(t *testing.T) {
	for src, want := range map[string]string{
		"registry: {storage: a, storage-driver: {s3: {bucket: b}}}":                                    "registry.storage and registry.storage-driver are both there",
		"registry: {storage-driver: {s3: {secretkey: abc}}}":                                           "registry.storage-driver.s3.secretkey is a secret, and secrets stand in files of their own",
		"registry: {storage-driver: {s3: {bucket: b, bucket-file: c}}}":                                "registry.storage-driver.s3.bucket and bucket-file are both there",
		"registry: {storage-driver: {s3: {bucket: [b]}}}":                                              "registry.storage-driver.s3.bucket must have one value",
		"registry: {storage-driver: {swift: {}}}":                                                      "registry.storage-driver must have one driver",
		"registry: {storage-driver: {s3: {}, gcs: {}}}":                                                "registry.storage-driver must have one driver",
		"registry: {storage-driver: {s3: a}}":                                                          "registry.storage-driver.s3 must be a mapping",
		"registry: {storage-driver: {s3: {Bucket: b}}}":                                                "a parameter of registry.storage-driver is not spelled as distribution does",
		"registry: {storage-driver: {s3: {bucket: b}}, limits: {keep-free: 1GiB}}":                     "registry.limits.keep-free is of a volume, and registry.storage-driver has none",
		"registry: {cert-file: a}":                                                                     "one of registry.cert-file and registry.key-file is missing",
		"registry: {tokens: [{name: a, file: b}, {name: a, file: c}]}":                                 "registry token a is there twice",
		"registry: {tokens: [{name: '*', file: b}]}":                                                   "a token cannot be called *",
		"registry: {tokens: [{name: a b, file: b}]}":                                                   "registry.tokens[0].name is not the name of a user or robot",
		"registry: {tokens: [{name: a}]}":                                                              "registry.tokens[0].file is missing",
		"registry: {access: [{who: [a], namespaces: [b], may: [pull]}]}":                               "the access entry grants nothing: nobody can log in",
		"registry: {users-file: u, access: [{who: [], namespaces: [b], may: [pull]}]}":                 "the access entry has an empty list, and so grants nothing",
		"registry: {users-file: u, access: [{who: [a], namespaces: [b], may: [admin]}]}":               "registry.access[0].may[0] is not a right",
		"registry: {users-file: u, access: [{who: [a], namespaces: [b]}]}":                             "registry.access[0].may is missing",
		"registry: {users-file: u, access: [{who: [a], namespaces: [b], may: [delete]}]}":              "the access entry grants delete, and nothing is deleted from this registry",
		"registry: {tokens: [{name: a, file: f}], access: [{who: [b], namespaces: [c], may: [pull]}]}": "registry access names b, and no token is called so",
		"registry: {anonymous-pull: some}":                                                             "registry.anonymous-pull must be true, false or a list of namespaces",
		"registry: {anonymous-pull: [/a]}":                                                             "registry.anonymous-pull[0] never matches: paths begin at the repository's root, without / or ./",
		"registry: {limits: {blob-size: 10GB}}":                                                        "registry.limits.blob-size is not a size",
		"registry: {limits: {blob-size: 0GiB}}":                                                        "registry.limits.blob-size is not a size",
		"registry: {limits: {blob-size: 10}}":                                                          "registry.limits.blob-size must be text",
		"registry: {limits: {uploads-open: 0}}":                                                        "registry.limits.uploads-open must be a whole number from 1 to 10000",
		"registry: {limits: {requests-per-second: 0}}":                                                 "registry.limits.requests-per-second must be a number from 0.1 to 100000",
	} {
		o, problems := ParseOperator("operator.yaml", []byte(src+"\n"))
		if len(problems) != 1 || problems[0].What != want || problems[0].Line != 1 || problems[0].Fix == "" || o != nil {
			t.Errorf("%s:\n got %v\nwant %s", src, problems, want)
		}
	}
}
