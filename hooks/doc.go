// Package hooks receives webhooks: registries that say that an image was pushed, and
// forges that say that a branch moved.
//
// A payload is a hint. It says where to look now, and never what is there: nothing of it
// reaches a commit, a URL, a pattern or the name of a metric. The package knows how each
// vendor signs and words its payloads; it knows neither streams nor Git, and follows no
// address that a payload names. It asks nobody but the issuers of identity tokens that the
// operator's config names, for their keys, and not while a delivery waits.
package hooks
