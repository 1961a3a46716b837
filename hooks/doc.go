// Package hooks receives webhooks: registries that say that an image was pushed, and
// forges that say that a branch moved.
//
// A payload is a hint. It says where to look now, and never what is there: nothing of it
// reaches a commit, a URL, a pattern or the name of a metric. The package knows how each
// vendor signs and words its payloads; it knows neither streams nor Git, asks nobody, and
// follows no address that a payload names.
package hooks
