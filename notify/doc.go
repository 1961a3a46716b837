// Package notify tells others what towpath did: as CloudEvents over HTTP and as lines in a chat,
// each receiver from a queue of its own, so that one that is slow or away keeps nobody waiting.
//
// It decides nothing: whoever hands events over knows what happened. It knows neither Git,
// streams nor registries. What is delivered may be delivered twice, with the same id, and what
// waits when the process dies is lost: Git is the record, and this only news of it.
package notify
