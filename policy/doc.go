// Package policy chooses one tag of a repository, and says why: which tags its
// names let through, which of these is best, and what was passed over for what
// reason.
//
// It is pure: a Policy is parsed from annotations, a Shortlist is made of names,
// and Pick works on what is known of images so far; where it must know more, it
// says of which tags, and whoever asks comes back with that. It must not know
// where names and facts come from, nor what becomes of the choice: no registries,
// no streams, no clock.
//
// What the policies mean follows Flux's image policies, so that people can carry
// theirs over.
package policy
