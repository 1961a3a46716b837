package config

import (
	"reflect"
	"strings"
)

// descriptions say what each key means, by the way to it: the last column of the tables
// in docs/configuration.md, held equal by a test.
var descriptions = map[string]string{
	"version":                             "the version of this file's format; must be there",
	"include":                             "the files that are read; replaces the default",
	"exclude":                             "the files among them that are not",
	"namespaces":                          "the namespace of objects whose file names none; the glob with most characters that are not wildcards decides, of equal ones the first; without a match it is `default`",
	"platform":                            "what a `Legacy` import takes out of an image for many platforms, where the tag prefers nothing",
	"registry.host":                       "the name by which clients push to towpath's own registry: references of pushed images, and of tags with `referencePolicy: Local`, begin with it; must be there",
	"registry.streams":                    "where a first push to a repository adds the file of its stream, by namespace; `{namespace}` in the directory stands for it; the glob with most characters that are not wildcards decides, of equal ones the first; without a match a first push is refused",
	"paused":                              "nothing is written to this repository; no rule lifts it",
	"branch-prefix":                       "what the names of towpath's own branches begin with; behind it stand the watched branch, the change in short, and a hash; all other branches are people's",
	"max-open":                            "proposals that are open at a time; the rest wait in order",
	"defaults.interval":                   "between two imports of a scheduled tag",
	"defaults.history":                    "images that a tag remembers in its status",
	"defaults.import-mode":                "for tags without `importPolicy.importMode`",
	"defaults.scheduled":                  "`true` imports every tag again and again, as `importPolicy.scheduled` does for one",
	"defaults.failure-after":              "how long a failure that may pass by itself lasts before it is recorded",
	"defaults.group":                      "what one trigger commit holds: all places that follow one tag or the tags of one stream, all places in one namespace, or all that move",
	"defaults.tags-cap":                   "tags that a `spec.dockerImageRepository` brings in at most",
	"defaults.paused":                     "nothing is asked, recorded or rewritten",
	"defaults.settle":                     "how long an image must stand unchanged before it is recorded: a tag whose platforms are pushed one by one moves once then",
	"defaults.min-age":                    "how old an image must be for a policy that has no `towpath.dev/min-age`, and how long on record before sites move to it",
	"defaults.record":                     "`labels` also records what an image's labels say of its revision, source, version and time, from its next move on",
	"defaults.reference-form":             "how a reference is written where its own marker does not say: `repo@sha256:…`, `repo:1.4.3@sha256:…`, `repo:1.4.3`",
	"defaults.windows":                    "when sites move: while one of the windows is open; an empty list in a rule is any time again",
	"defaults.windows[].cron":             "when the window opens: minute, hour, day of the month, month, day of the week; must be there",
	"defaults.windows[].for":              "how long it stays open; must be there",
	"defaults.windows[].zone":             "where the clock hangs, such as `Europe/Berlin`",
	"defaults.hold-depth":                 "how many commits are looked through for a person who took an image back; where the log is longer and says nothing, the site is left alone",
	"defaults.prefix":                     "stands before the subject of every commit, such as `chore: `; empty is none again",
	"defaults.template":                   "the message of a trigger commit, with names in braces; empty is towpath's own again",
	"defaults.author":                     "who commits are by; empty is the operator's again",
	"defaults.status":                     "how what was resolved goes on record: straight to the watched branch, or as a proposal that people review",
	"defaults.triggers":                   "how sites move: straight to the watched branch, or as a proposal that people review",
	"defaults.labels":                     "of proposals; made where the forge lacks them and the token allows it; an empty list in a rule is none again",
	"defaults.reviewers":                  "who is asked to review proposals: users, or teams as `org/team`; an empty list in a rule is nobody again",
	"defaults.assignees":                  "who proposals are assigned to: users; an empty list in a rule is nobody again",
	"defaults.draft":                      "`true` opens proposals as drafts; taking that mark off is left to people",
	"defaults.merge":                      "who merges proposals: people; `platform`: the forge itself, by its own rules (auto-merge); `when-green`: towpath, once all checks are good, where a proposal changes nothing but records",
	"rules":                               "changes of the `defaults` keys for some files or namespaces; all rules that match apply in order, for each key the last decides",
	"rules[].paths":                       "the files that the rule is for",
	"rules[].namespaces":                  "the namespaces that it is for; with `paths`, both must match",
	"follow":                              "fields that follow a tag although nothing in their files says so",
	"follow[].paths":                      "the files of YAML or JSON that have the field; they are read, also where `include` does not name them; must be there",
	"follow[].field":                      "the way to the value, or to an entry of a kustomization's `images`; must be there",
	"follow[].from":                       "the tag that it follows; without a namespace the object's, without a tag `latest`; must be there",
	"follow[].part":                       "what of the image the value holds",
	"follow[].form":                       "how a reference is written; of an entry of `images`, which keys it must have",
	"imagepolicies":                       "the tags that Flux's image policies stand for; without an entry, `ns:name` is `ns/name:latest`",
	"repo":                                "the repository; a relative path is relative to this file's directory; a user name or password in an https URL is refused",
	"branch":                              "the branch that is watched and written",
	"git.token-file":                      "a token for https, sent as the password",
	"git.token-env":                       "the same, in the variable of the environment that has this name",
	"git.username":                        "the user for https, beside a token or password",
	"git.username-file":                   "the same, in a file",
	"git.password-file":                   "the password for https; needs a user name",
	"git.ssh-key-file":                    "the private key for ssh",
	"git.ssh-passphrase-file":             "its passphrase",
	"git.known-hosts-file":                "host keys that are trusted; ssh trusts no others",
	"git.ca-file":                         "certificates, PEM, that are trusted beside the system's",
	"git.author.name":                     "who towpath's commits are by",
	"git.sign-off":                        "every commit ends with `Signed-off-by:` and its author",
	"git.signing.format":                  "every commit is signed, or not made; must be there with `signing`",
	"git.signing.key-file":                "the private key: as `ssh-keygen` or `gpg --export-secret-keys` writes it; read again for every push; must be there with `signing`",
	"git.signing.passphrase-file":         "its passphrase",
	"git.commits":                         "`forge`: GitHub makes the commits through its API and, for an app, signs them (Verified); not beside `git.signing`",
	"forge.kind":                          "where proposals are reviewed; `gitea` is Forgejo, too; `none` pushes their branches, and that is all",
	"forge.api":                           "the base of its API; plain http only on this machine; the token goes there and nowhere else",
	"forge.project":                       "the repository as the forge calls it: owner/name, at GitLab with all groups",
	"forge.token-file":                    "a token that may write the repository's contents and proposals; read again at each use",
	"forge.token-env":                     "the same, in the variable of the environment that has this name",
	"forge.app.id":                        "the GitHub App as which towpath acts, instead of a token; must be there with `app`",
	"forge.app.installation":              "where the app is installed",
	"forge.app.key-file":                  "the app's private key, PEM; must be there with `app`",
	"forge.ca-file":                       "certificates, PEM, that are trusted beside the system's",
	"credentials":                         "credentials for registries, and where each may be used",
	"credentials[].file":                  "in the form of Docker's `config.json`; either this or `directory` must be there",
	"credentials[].directory":             "a subdirectory for each namespace, with secrets as Kubernetes mounts them; see below",
	"credentials[].hosts":                 "where it may be sent",
	"credentials[].namespaces":            "namespaces whose streams may use it",
	"credentials[].paths":                 "files whose streams may use it; must be there as soon as there are two credentials; beside `directory` each has a part `{namespace}`, without wildcards before it",
	"docker-config":                       "Docker's own `config.json` and credential helpers are used for registries that no credential has a login for",
	"registries":                          "how single hosts are treated; loopback, private and link-local addresses are reached only for hosts that stand here",
	"registries[].host":                   "such as `quay.io` or `127.0.0.1:5000`; Docker Hub is `docker.io`; must be there",
	"registries[].insecure":               "plain HTTP and unverified certificates are allowed, for tags that allow them too",
	"registries[].ca-file":                "certificates, PEM, that are trusted beside the system's",
	"registries[].token-hosts":            "other hosts that may see its credential to issue tokens",
	"registries[].client-cert-file":       "our certificate, PEM, where the registry asks for one; shown to this host alone, whoever's stream asks",
	"registries[].client-key-file":        "its key, PEM",
	"registries[].proxy":                  "`true` asks it through the proxy; without that, what is listed here is asked directly",
	"registries[].concurrency":            "requests at once",
	"registries[].requests-per-second":    "a registry that wants to be asked less says so, and is heeded",
	"mirrors":                             "where copies of images are read before the registry itself is asked",
	"mirrors[].prefix":                    "host, or host/path in whole parts, of the repositories; of several that fit the longest counts; must be there",
	"mirrors[].at":                        "host, or host/path, in the order they are asked; the rest of the repository's path is appended; must be there",
	"mirrors[].upstream":                  "`false`: the registry itself is never asked",
	"allowed-registries":                  "what may be asked at all; `*.example.com` is all hosts below that domain; a host without a port is the one at the usual ports",
	"blocked-registries":                  "what may not be asked, also where it is allowed; a host without a port is all its ports",
	"proxy.url":                           "what registries that are not listed are asked through; a user name or password in it is refused; without `proxy` the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` hold",
	"proxy.no-proxy":                      "what is asked directly: a host and all below it, `.example.com` without that host itself, an address, a range",
	"proxy.username-file":                 "the user for the proxy; needs `password-file`",
	"proxy.password-file":                 "the password for the proxy; needs `username-file`",
	"listen":                              "address of health, metrics and the last report",
	"hooks-listen":                        "address of webhooks, apart from that of metrics: registries and forges reach it, best through a proxy that has a certificate",
	"hooks-url":                           "how they reach it; `towpath hooks` prints what to paste with it",
	"hooks":                               "who may say that an image was pushed or a branch moved; each has an address of its own",
	"hooks[].name":                        "what logs call it; must be there",
	"hooks[].kind":                        "how the sender signs and words what it posts; must be there",
	"hooks[].path-token-file":             "the secret part of its address, as `openssl rand -hex 32` writes one; must be there",
	"hooks[].secret-files":                "what the sender signs with, or sends in a header; two while one is replaced",
	"hooks[].host":                        "the registry whose pushes it tells of",
	"hooks[].namespaces":                  "namespaces whose streams it may wake; a namespace is only text that any author can write",
	"hooks[].paths":                       "files whose streams it may wake",
	"hooks[].from":                        "who may post",
	"hooks[].branch":                      "of forges: the branch whose pushes count",
	"hooks[].audience":                    "what the sender's identity token must be for, where it has one",
	"hooks[].issuer":                      "who issues it",
	"hooks[].email":                       "the account that it must be of",
	"trusted-proxies":                     "whose `X-Forwarded-For` says where a webhook, or a request to the registry, came from",
	"import-token-file":                   "the secret with which `towpath import --server` asks; without it nobody can",
	"notify":                              "who is told what towpath did; docs/notifications.md has what they get",
	"notify[].kind":                       "`cloudevents`: programs, over HTTP; `slack`: people, by an incoming webhook of Slack, Mattermost or Rocket.Chat; `commit-status`: the forge, at the head of the watched branch; must be there",
	"notify[].url":                        "where `cloudevents` are posted; a user or a query in it is refused",
	"notify[].url-file":                   "the same, in a file, where the URL is a secret: that of a chat always is",
	"notify[].events":                     "what it is told of",
	"notify[].namespaces":                 "whose news it is told",
	"notify[].secret-file":                "the secret that signs `cloudevents`, as Standard Webhooks has it; read again for each",
	"notify[].token-file":                 "a token that is sent with `cloudevents`, over https or to this machine; read again for each",
	"notify[].ca-file":                    "certificates, PEM, that are trusted beside the system's",
	"notify[].target-url":                 "where a commit status leads people to, such as towpath's own page",
	"registry.listen":                     "address of towpath's own registry, for clients that push and pull",
	"registry.storage":                    "directory of its blobs",
	"registry.storage-driver":             "storage that is elsewhere, by the parameters of distribution's driver; secrets in files, as `secretkey-file`",
	"registry.cert-file":                  "its certificate, PEM; read again when it changes; without it plain HTTP, as behind a proxy that has one",
	"registry.key-file":                   "the certificate's key, PEM",
	"registry.users-file":                 "users and their passwords, as `htpasswd -B` writes them; read again when it changes",
	"registry.tokens":                     "robots: each has a name, and a token in place of a password",
	"registry.tokens[].name":              "what `access` and logs call it; must be there",
	"registry.tokens[].file":              "its token, as `openssl rand -hex 32` writes one; read again when it changes; must be there",
	"registry.access":                     "who may do what; what nothing here grants is denied; without users and tokens only this machine may pull and push, and everybody whom a proxy on it passes on unmarked: configure users where one stands in front",
	"registry.access[].who":               "users and robots; `*` is any of them; must be there",
	"registry.access[].namespaces":        "where; must be there",
	"registry.access[].may":               "what; who may push may also ask what is there; must be there",
	"registry.anonymous-pull":             "what anybody may pull, without a password",
	"registry.immutable-tags":             "tags that never become another image and are not deleted",
	"registry.delete":                     "images can be deleted, by who may; what a file or a status names never is, nor what an image or an index there names",
	"registry.limits.blob-size":           "of one layer",
	"registry.limits.namespace-size":      "of all blobs of a namespace, each counted once",
	"registry.limits.keep-free":           "what pushes leave free on the volume of `registry.storage`",
	"registry.limits.uploads-open":        "uploads that one user, robot or address may have begun",
	"registry.limits.requests-per-second": "of one user, robot or address; twice as many at once",
	"registry.limits.concurrency":         "requests at once of one user, robot or address",
	"cache-dir":                           "where the copy of the repository is kept; may be deleted at any time",
	"poll":                                "how often the repository is looked at",
	"limits.pushes-per-hour":              "beyond it, what moved goes into one later push",
}

// Patterns are read alike by Go and by JavaScript.
const (
	aName = `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`
	aHost = `(?:` + aName + `(?:\.` + aName + `)*|\[[0-9a-f:.]*:[0-9a-f:.]*\])`
	aPort = `(?::[0-9]+)?`
	aPart = `[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`
	aPath = aPart + `(?:/` + aPart + `)*`
	aTag  = `(?:` + aName + `/)?[a-z0-9]+(?:[._-][a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?`
	hubs  = `^(?:\*\.)?(?:index|registry-1)\.docker\.io(?:/|$)`

	aPolicy   = `^` + aName + `:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$`
	aKey      = `[^\[\].*"' ]+`
	aUser     = `^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?$`
	aBranch   = `^[A-Za-z0-9][A-Za-z0-9._/-]*[/-]$`
	notBranch = `\.\.|//|/\.|\./|\.lock/|^refs/` // of what has that form, what Git refuses
	anAPI     = `^https?://[A-Za-z0-9.:_\[\]-]+(?:/[A-Za-z0-9._~/-]*)?$`
	aProject  = `^[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)+$`
	aVariable = `^[A-Za-z_][A-Za-z0-9_]*$`
	aBracket  = `\[(?:[0-9]+|".*"|\?\(@\.` + aKey + `==".*"\))\]`
	aSelector = `^(?:[^$\[\].*"' ][^\[\].*"' ]*|` + aBracket + `)(?:\.` + aKey + `|` + aBracket + `)*$`
)

var (
	globForm = jsonSchema{
		"type": "string", "minLength": 1, "maxLength": maxGlob, "not": jsonSchema{"pattern": `(?:^|/)\.\.?(?:/|$)`},
		"pattern":             `^(?:[^./]|\.(?:[^/]|$))(?:[^\n]*[^/])?$`,
		"patternErrorMessage": "write a glob of paths from the repository's root, without / or ./ before it; a directory with what is below it: apps/team1/**",
	}
	tagForm = jsonSchema{
		"type": "string", "pattern": `^` + aTag + `$`,
		"patternErrorMessage": "write NAMESPACE/STREAM:TAG, such as team1/web:stable",
	}
	namespaceForm = jsonSchema{
		"type": "string", "pattern": `^` + aName + `$`,
		"patternErrorMessage": "write the name of a namespace: lower-case letters, digits and dashes, at most 63",
	}
)

// directoryForm is what a directory looks like; that machines run what some hold the decoder
// says.
var directoryForm = jsonSchema{
	"type": "string", "minLength": 1, "maxLength": maxGlob,
	"pattern":             `^[^/*?\[\]]+(?:/[^/*?\[\]]+)*$`,
	"not":                 jsonSchema{"pattern": `(?:^|/)\.\.(?:/|$)|^\./|/\.(?:/|$)`},
	"patternErrorMessage": "write a directory from the repository's root, such as apps/{namespace}/streams",
}

// forms are the types that read their text, or their node, themselves.
var forms = map[reflect.Type]jsonSchema{
	reflect.TypeFor[Glob]():  globForm,
	reflect.TypeFor[label](): namespaceForm,
	reflect.TypeFor[Host](): {
		"type": "string", "pattern": `^` + aHost + `(?::[0-9]+)?$`,
		"patternErrorMessage": "write a registry such as quay.io or 127.0.0.1:5000, in lower case, without scheme, user or path; docker.io is Docker Hub",
		"not":                 jsonSchema{"enum": []string{"index.docker.io", "registry-1.docker.io"}},
	},
	reflect.TypeFor[Prefix](): {
		"type": "string", "pattern": `^` + aHost + aPort + `(?:/` + aPath + `)?$`,
		"patternErrorMessage": "write HOST or HOST/PATH in lower case, such as quay.io/team1; docker.io is Docker Hub",
		"not":                 jsonSchema{"pattern": hubs},
	},
	reflect.TypeFor[Area](): {
		"type": "string", "pattern": `^(?:\*\.)?` + aHost + aPort + `(?:/` + aPath + `)?$`,
		"patternErrorMessage": "write HOST, HOST/PATH or *.DOMAIN in lower case, such as quay.io, quay.io/team1 or *.example.com",
		"not":                 jsonSchema{"pattern": hubs},
	},
	reflect.TypeFor[ProxyURL](): {
		"type": "string", "pattern": `^(?:https?|socks5)://` + aHost + aPort + `$`,
		"patternErrorMessage": "write http://HOST:PORT, https or socks5 too, without a user, a password or a path",
	},
	reflect.TypeFor[Bypass](): {
		"type": "string", "pattern": `^(?:\.?` + aHost + aPort + `|[0-9a-fA-F:.]+(?:/[0-9]+)?)$`,
		"patternErrorMessage": "write a host, .DOMAIN, an address or a range such as 10.0.0.0/8",
	},
	reflect.TypeFor[API](): {
		"type": "string", "pattern": anAPI,
		"patternErrorMessage": "write https://HOST/PATH, without a user and without a query",
	},
	reflect.TypeFor[Project](): {
		"type": "string", "pattern": aProject,
		"patternErrorMessage": "write OWNER/NAME, without the host and without .git",
	},
	reflect.TypeFor[Variable](): {
		"type": "string", "pattern": aVariable,
		"patternErrorMessage": "write the name of a variable, such as FORGE_TOKEN; the secret itself stands in the environment",
	},
	reflect.TypeFor[HookName](): {
		"type": "string", "pattern": aHookName,
		"patternErrorMessage": "write letters, digits and - . _ alone, such as quay-team1",
	},
	reflect.TypeFor[HookKind](): {
		"type": "string", "pattern": aHookKind,
		"patternErrorMessage": "write one such as quay, harbor, generic or github; docs/webhooks.md has them all",
	},
	reflect.TypeFor[Network](): {
		"type": "string", "pattern": `^[0-9a-fA-F:.]+(?:/[0-9]+)?$`,
		"patternErrorMessage": "write an address or a range such as 10.0.0.0/8",
	},
	reflect.TypeFor[Issuer](): {
		"type": "string", "pattern": aHookURL,
		"patternErrorMessage": "write https://HOST, or https://HOST/PATH",
	},
	reflect.TypeFor[HooksURL](): {
		"type": "string", "pattern": aHookURL,
		"patternErrorMessage": "write https://HOST, or https://HOST:PORT/PATH, without a user and without a query",
	},
	reflect.TypeFor[NewsURL](): {
		"type": "string", "pattern": anAPI,
		"patternErrorMessage": "write https://HOST/PATH, without a user and without a query; one that holds a secret stands in a file: url-file",
	},
	reflect.TypeFor[News](): {"enum": newsWords},
	reflect.TypeFor[Address](): {
		"type": "string", "pattern": `^(?:` + aHost + `)?:[0-9]+$`,
		"patternErrorMessage": "write host:port, such as 127.0.0.1:8080 or :8080",
	},
	reflect.TypeFor[personal](): {
		"type": "string", "minLength": 1, "maxLength": 200, "pattern": `^[^<> ](?:[^<>]*[^<> ])?$`,
		"patternErrorMessage": "write it without < and >, and without spaces around it",
	},
	reflect.TypeFor[platform](): {
		"type": "string", "pattern": `^[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?$`,
		"patternErrorMessage": "write os/architecture or os/architecture/variant, such as linux/amd64 or linux/arm/v7",
	},
	reflect.TypeFor[Template](): {
		"type": "string", "maxLength": maxTemplate, "pattern": `^(?:[^{}]|\{\{|\}\}|\{(?:` + strings.Join(templateNames, "|") + `)\})*$`,
		"patternErrorMessage": "write {{ or }} for a brace itself; the names are {" + strings.Join(templateNames, "} {") + "}",
	},
	reflect.TypeFor[prefix](): {
		"type": "string", "maxLength": maxPrefix, "pattern": `^(?:[^ \n][^\n]*)?$`,
		"patternErrorMessage": "write one line that begins with no blank, such as \"chore: \"",
	},
	reflect.TypeFor[author](): {
		"type": "string", "pattern": `^(?:[^<> ](?:[^<>]*[^<> ])? <[^<>@ ]+@[^<>@ ]+>)?$`,
		"patternErrorMessage": "write a name and an address: Towpath <towpath@example.com>",
	},
	reflect.TypeFor[reviewLabel](): {
		"type": "string", "maxLength": maxLabel, "pattern": `^[^ ,\n](?:[^,\n]*[^ ,\n])?$`,
		"patternErrorMessage": "write the name of a label, without commas and without blanks around it",
	},
	reflect.TypeFor[reviewer](): {
		"type": "string", "pattern": `^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`,
		"patternErrorMessage": "write the name that the forge knows, without @, such as alice, or ORG/TEAM",
	},
	reflect.TypeFor[assignee](): {
		"type": "string", "maxLength": maxPeople, "pattern": aUser,
		"patternErrorMessage": "write the name of a user as the forge knows it, without @, such as alice",
	},
	reflect.TypeFor[branchPart](): {
		"type": "string", "maxLength": maxBranch, "pattern": aBranch, "not": jsonSchema{"pattern": notBranch},
		"patternErrorMessage": "write what names of branches begin with, with / or - at the end, such as towpath/",
	},
	reflect.TypeFor[cronLine](): {
		"type": "string", "pattern": `^ *(?:@[a-z]+|[^ ]+(?: +[^ ]+){4}) *$`,
		"patternErrorMessage": "write five fields: minute, hour, day of the month, month, day of the week, such as 0 8 * * 1-5",
	},
	reflect.TypeFor[zone](): {
		"type": "string", "pattern": `^[A-Za-z0-9_+/-]+$`,
		"patternErrorMessage": "write the name of a time zone, such as Europe/Berlin",
	},
	reflect.TypeFor[selector](): {
		"type": "string", "maxLength": 1024, "pattern": aSelector,
		"patternErrorMessage": "write the keys on the way to the value, such as spec.values.image.tag or images[?(@.name==\"web\")].newTag",
	},
	reflect.TypeFor[Login](): {
		"type": "string", "pattern": aLogin,
		"patternErrorMessage": "write the name of a user or robot; * is any of them",
	},
	reflect.TypeFor[Right](): {"enum": []string{"pull", "push", "delete"}},
	reflect.TypeFor[Size](): {
		"type": "string", "pattern": aSize,
		"patternErrorMessage": "write a whole number and KiB, MiB, GiB or TiB, such as 10GiB",
	},
	reflect.TypeFor[Anonymous](): {"oneOf": []jsonSchema{{"type": "boolean"}, {"type": "array", "items": globForm, "maxItems": 100}}},
	reflect.TypeFor[StorageDriver](): {
		"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": jsonSchema{"enum": storageDrivers},
		"additionalProperties": jsonSchema{
			"type": "object", "propertyNames": jsonSchema{"pattern": aParameter, "not": jsonSchema{"enum": storageSecrets}},
			"additionalProperties": jsonSchema{"type": []string{"string", "number", "boolean"}},
		},
	},
	reflect.TypeFor[tagRef]():   tagForm,
	reflect.TypeFor[policies](): {"type": "object", "propertyNames": jsonSchema{"pattern": aPolicy}, "additionalProperties": tagForm},

	reflect.TypeFor[version](): {"const": 1},
	reflect.TypeFor[ownHost](): {
		"type": "string", "pattern": `^(?:localhost|` + aHost + `:[0-9]+|` + aName + `(?:\.` + aName + `)+|\[[0-9a-f:.]*:[0-9a-f:.]*\])$`,
		"patternErrorMessage": "write the name of the registry as references begin with it, such as registry.example.com or 127.0.0.1:5000, without scheme or path",
		"not":                 jsonSchema{"pattern": `^(?:(?:index|registry-1)\.)?docker\.io(?::443)?$`},
	},
	reflect.TypeFor[streamsDir]():  directoryForm,
	reflect.TypeFor[directories](): {"type": "object", "propertyNames": globForm, "additionalProperties": directoryForm},
	reflect.TypeFor[namespaces]():  {"type": "object", "propertyNames": globForm, "additionalProperties": namespaceForm},
}

// together says, by the way to a value, what its parts must be to each other.
var together = map[string]jsonSchema{
	"include":        {"minItems": 1},
	"follow[].paths": {"minItems": 1},
	"follow[]": {"not": jsonSchema{ // a form of what is no reference
		"required": []string{"part", "form"}, "properties": jsonSchema{"part": jsonSchema{"not": jsonSchema{"const": "ref"}}},
	}},
	"rules[]": {"anyOf": []jsonSchema{some("paths"), some("namespaces")}},
	"repo": {"not": jsonSchema{"anyOf": []jsonSchema{ // a user name or password
		{"pattern": `^[Hh][Tt][Tt][Pp][^:/]*://[^/]*@`}, {"pattern": `^[^:/]+://[^/]*:[^/]*@`},
	}}},
	"git": {
		"allOf": []jsonSchema{
			notBoth("token-file", "password-file"), notBoth("token-env", "token-file"), notBoth("token-env", "password-file"), notBoth("username", "username-file"),
			{"not": jsonSchema{"required": []string{"signing", "commits"}, "properties": jsonSchema{"commits": jsonSchema{"const": "forge"}}}},
		},
		"dependencies": jsonSchema{
			"password-file":       jsonSchema{"anyOf": []jsonSchema{{"required": []string{"username"}}, {"required": []string{"username-file"}}}},
			"ssh-passphrase-file": []string{"ssh-key-file"},
		},
	},
	"forge":       {"allOf": []jsonSchema{notBoth("token-file", "token-env"), notBoth("token-file", "app"), notBoth("token-env", "app")}},
	"credentials": {"if": jsonSchema{"minItems": 2}, "then": jsonSchema{"items": some("paths")}},
	"credentials[]": {
		"oneOf":        []jsonSchema{{"required": []string{"file"}}, {"required": []string{"directory"}}},
		"dependencies": jsonSchema{"directory": some("paths")},
	},
	"registries[]":       {"dependencies": pair("client-cert-file", "client-key-file")},
	"mirrors[].at":       {"minItems": 1},
	"allowed-registries": {"minItems": 1},
	"blocked-registries": {"minItems": 1},
	"notify[].events":    {"minItems": 1},
	"notify[]": {"anyOf": []jsonSchema{
		{"properties": jsonSchema{"kind": jsonSchema{"const": "cloudevents"}, "target-url": false}, "oneOf": []jsonSchema{{"required": []string{"url"}}, {"required": []string{"url-file"}}}},
		{"properties": jsonSchema{"kind": jsonSchema{"const": "slack"}, "url": false, "secret-file": false, "token-file": false, "target-url": false}, "required": []string{"url-file"}},
		{"properties": jsonSchema{"kind": jsonSchema{"const": "commit-status"}, "target-url": jsonSchema{}}, "maxProperties": 2},
	}},
	"proxy": {"dependencies": pair("username-file", "password-file")},
}

// some wants a list that is not empty.
func some(key string) jsonSchema {
	return jsonSchema{"required": []string{key}, "properties": jsonSchema{key: jsonSchema{"minItems": 1}}}
}

// pair wants both or none.
func pair(a, b string) jsonSchema {
	return jsonSchema{a: []string{b}, b: []string{a}}
}

func notBoth(a, b string) jsonSchema {
	return jsonSchema{"not": jsonSchema{"required": []string{a, b}}}
}
