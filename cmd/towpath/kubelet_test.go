package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// A manifest is what a kubelet reads of a Deployment or a ConfigMap.
type manifest struct {
	Kind string
	Data map[string]string
	Spec struct {
		Template struct {
			Spec struct {
				Containers []container
				Volumes    []volume
			}
		}
	}
}

type container struct {
	Args         []string
	Env          []struct{ Name, Value string }
	VolumeMounts []struct{ Name, MountPath string }
}

type volume struct {
	Name      string
	ConfigMap *struct{ Name string }
	Secret    *struct{ SecretName string }
}

// kubelet runs the first container of a manifest as it would run in a cluster:
// with its arguments, its variables and its mounts, of which the root is node/.
// Of the configuration only what names this machine is changed: the repository,
// the ports, and the registry that it allows. FILE NAME.
func (w *world) kubelet(args []string) {
	src, err := os.ReadFile(filepath.Join("../..", args[0]))
	w.ts.Check(err)
	var config map[string]string
	var pod manifest
	for _, doc := range strings.Split(string(src), "\n---\n") {
		var m manifest
		w.ts.Check(yaml.Unmarshal([]byte(doc+"\n"), &m))
		switch m.Kind {
		case "ConfigMap":
			config = m.Data
		case "Deployment":
			pod = m
		}
	}
	c := pod.Spec.Template.Spec.Containers[0]
	var there []string // in pairs: a path in the container, and here
	for _, mount := range c.VolumeMounts {
		there = append(there, mount.MountPath, filepath.Join(w.dir, "node", mount.MountPath))
	}
	here := strings.NewReplacer(there...)
	for _, mount := range c.VolumeMounts {
		for _, v := range pod.Spec.Template.Spec.Volumes {
			if v.Name == mount.Name {
				w.fill(here.Replace(mount.MountPath), v, config, here)
			}
		}
	}
	for i, arg := range c.Args {
		c.Args[i] = here.Replace(arg)
	}
	for _, env := range c.Env {
		w.ts.Setenv(env.Name, env.Value)
	}
	w.ts.Setenv("TOWPATH_REPO", "")
	w.ts.Setenv("TOWPATH_CONFIG", "")
	w.start(args[1], c.Args)
}

// fill writes what a volume holds.
func (w *world) fill(dir string, v volume, config map[string]string, here *strings.Replacer) {
	w.ts.Check(os.MkdirAll(dir, 0o700))
	files := map[string]string{}
	switch {
	case v.ConfigMap != nil:
		for name, text := range config {
			files[name] = w.local(here.Replace(text))
		}
	case v.Secret != nil:
		files["token"] = w.server.Password()
		files[".dockerconfigjson"] = `{"auths": {}}`
		if v.Secret.SecretName == "towpath-tls" {
			issue(w.t, "registry.example.com", filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), time.Now())
		}
		own := w.ts.MkAbs(v.Secret.SecretName) // what the script made for it
		if entries, err := os.ReadDir(own); err == nil {
			for _, e := range entries {
				text, err := os.ReadFile(filepath.Join(own, e.Name()))
				w.ts.Check(err)
				files[e.Name()] = string(text)
			}
		}
	}
	for name, text := range files {
		w.ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}

// local is an operator's config with what this machine has for what a cluster
// has.
func (w *world) local(config string) string {
	for _, change := range [][2]string{
		{"https://git.example.com/team1/manifests.git", w.server.Repo(w.repo)},
		{`listen: ":8080"`, "listen: 127.0.0.1:0"},
	} {
		if !strings.Contains(config, change[0]) {
			w.ts.Fatalf("the configuration does not say %s", change[0])
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	config = strings.Replace(config, `listen: ":5000"`, "listen: 127.0.0.1:0", 1)
	return config + fmt.Sprintf("registries:\n  - host: %s\n    insecure: true\n", w.images.host)
}
