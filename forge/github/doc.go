// Package github is the Forge of GitHub and GitHub Enterprise: pull requests by their
// REST API, automatic merges by their GraphQL API. It also has GitHub make commits, which
// it signs when a GitHub App asks for them, and gets such an App its tokens.
//
// It knows what GitHub's answers mean, and neither what towpath proposes nor why. That an
// answer is GitHub's is not taken on trust: a proxy's page, an empty answer or one without
// what was asked for is a failure, never "there are none".
package github
