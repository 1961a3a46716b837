#!/bin/sh
# Prints where the program of a real S3 server is, after building it where that was not done
# yet: from the sources that go.mod and go.sum here pin, into a cache outside the repository.
# It takes a minute or two.
set -eu
cd "$(dirname "$0")"
go=${GO:-go}
key=$(cat go.mod go.sum | sha256sum | cut -c1-16)
program=${XDG_CACHE_HOME:-$HOME/.cache}/towpath/s3server/$key/versitygw
if [ ! -x "$program" ]; then
  echo "building an S3 server into $(dirname "$program"): this takes a minute or two" >&2
  mkdir -p "$(dirname "$program")"
  new=$program.$$
  trap 'rm -f "$new"' EXIT
  CGO_ENABLED=0 $go build -trimpath -ldflags "-s -w" -o "$new" github.com/versity/versitygw/cmd/versitygw >&2
  mv "$new" "$program"
fi
echo "$program"
