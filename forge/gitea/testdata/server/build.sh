#!/bin/sh
# Prints where the program of a real Gitea is, after building it where that was not done
# yet: from the sources that go.mod and go.sum here pin, into a cache outside the repository.
# Beside it stands what it serves. It needs gcc and libc6-dev (for SQLite), and 5 to 20 minutes.
set -eu
cd "$(dirname "$0")"
go=${GO:-go}
version=$($go list -m -f '{{.Version}}' code.gitea.io/gitea)
key=$(cat go.mod go.sum | sha256sum | cut -c1-16)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/towpath/gitea/$key
if [ ! -x "$dir/gitea" ]; then
  echo "building Gitea $version into $dir: this takes some minutes" >&2
  new=$dir.$$
  trap 'rm -rf "$new"' EXIT
  mkdir -p "$new/static"
  $go mod download code.gitea.io/gitea >&2
  source=$($go list -m -f '{{.Dir}}' code.gitea.io/gitea)
  cp -r "$source/templates" "$source/options" "$source/public" "$new/static"
  chmod -R u+w "$new/static"
  CGO_ENABLED=1 $go build -p 2 -tags 'sqlite sqlite_unlock_notify timetzdata' \
    -ldflags "-X main.Version=${version#v}" -o "$new/gitea" code.gitea.io/gitea >&2
  [ -e "$dir" ] && mv "$dir" "$new/broken"
  mv "$new" "$dir"
fi
echo "$dir/gitea"
