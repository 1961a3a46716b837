package config

import (
	"net/url"
	"slices"
	"strings"
)

// A Notify is who is told what towpath did.
type Notify struct {
	At         Position
	Kind       string  `yaml:"kind" need:"true" oneof:"cloudevents slack commit-status"`
	URL        NewsURL `yaml:"url"`
	URLFile    File    `yaml:"url-file"`             // instead of URL: where it is a secret
	Events     []News  `yaml:"events" max:"5"`       // nil: all
	Namespaces []Glob  `yaml:"namespaces" max:"100"` // whose news; nil: all
	SecretFile File    `yaml:"secret-file"`          // signs
	TokenFile  File    `yaml:"token-file"`           // is sent
	CAFile     File    `yaml:"ca-file"`              // PEM, beside the system's
	TargetURL  NewsURL `yaml:"target-url"`           // of commit statuses: where people read on
}

// checkNotify says what contradicts itself in who is told.
func (d *decoder) checkNotify(all []Notify) {
	statuses := 0
	for _, n := range all {
		switch n.Kind {
		case "cloudevents":
			d.checkReceiver(n)
		case "slack":
			d.checkSlack(n)
		default:
			if statuses++; statuses == 2 {
				d.add(n.At, "two receivers are of the kind commit-status, and would overwrite each other", "remove one of the two")
			}
			d.checkStatus(n)
		}
		if n.Events != nil && len(n.Events) == 0 {
			d.add(n.At, "notify.events names none", "remove the line to send all, or name some: "+strings.Join(newsWords, ", "))
		}
		if n.TargetURL != "" && n.Kind != "commit-status" {
			d.add(n.At, "notify.target-url is of commit statuses alone", "remove it; url is where to send to")
		}
	}
}

func (d *decoder) checkReceiver(n Notify) {
	switch {
	case n.URL == "" && n.URLFile == "":
		d.add(n.At, "the receiver has neither url nor url-file", "add url: https://HOST/PATH")
	case n.URL != "" && n.URLFile != "":
		d.add(n.At, "notify.url and notify.url-file are both there", "remove one of the two")
	case n.TokenFile != "" && isOpen(n.URL):
		d.add(n.At, "notify.url is plain http, which would show the token to everybody on the way", "write https://, or use secret-file, which signs, instead of token-file")
	}
}

// checkSlack keeps the address of an incoming webhook, which is all that it takes to write there, out
// of this file.
func (d *decoder) checkSlack(n Notify) {
	switch {
	case n.URL != "":
		d.add(n.At, "notify.url of a chat would be a secret in this file", "put the URL into a file of its own and name that file here as url-file:")
	case n.URLFile == "":
		d.add(n.At, "the chat has no url-file", "put the URL of its incoming webhook into a file, and add url-file:")
	}
	if n.SecretFile != "" || n.TokenFile != "" {
		d.add(n.At, "a chat takes neither secret-file nor token-file", "remove them; its URL is the secret")
	}
}

func (d *decoder) checkStatus(n Notify) {
	if n.URL != "" || n.URLFile != "" || n.SecretFile != "" || n.TokenFile != "" || n.CAFile != "" || n.Events != nil || n.Namespaces != nil {
		d.add(n.At, "commit-status takes target-url, and nothing else", "remove the other keys; where the forge is, and the token, stand below forge")
	}
}

// A NewsURL is where something is sent to. What stands behind a ? may be a secret.
type NewsURL string

func (w *NewsURL) set(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || !forgeAPI.MatchString(text) {
		return &wrong{"is not the address of a receiver", "write https://HOST/PATH, without a user and without a query; one that holds a secret stands in a file: url-file"}
	}
	*w = NewsURL(text)
	return nil
}

// isOpen reports whether everybody on the way can read what is sent.
func isOpen(w NewsURL) bool {
	u, err := url.Parse(string(w))
	return err == nil && u.Scheme == "http" && !isLoopback(u.Hostname())
}

// News is what somebody may be told of.
type News string

var newsWords = []string{"image", "site", "failing", "proposal", "held"}

func (n *News) set(text string) error {
	if !slices.Contains(newsWords, text) {
		return &wrong{"is no kind of event", "write some of " + strings.Join(newsWords, ", ")}
	}
	*n = News(text)
	return nil
}
