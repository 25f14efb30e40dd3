#!/usr/bin/env bash
# Installs the clients that the external tier of the tests speaks with, into target/external: the Kubeflow and MCP SDKs of
# Python by pip, kubectl by Go. What cannot be installed is left out, and its tests say so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
place="$PWD/target/external"
mkdir -p "$place"

if [ ! -f "$place/venv/.complete" ]; then
  if python3 -m venv "$place/venv" && "$place/venv/bin/pip" install --quiet --disable-pip-version-check kubeflow==0.5.0 mcp==2.3.0; then
    touch "$place/venv/.complete"
  else
    echo "external clients: no Python clients (python3 with venv and pip is needed)" >&2
    rm -rf "$place/venv"
  fi
fi

if [ ! -x "$place/kubectl" ]; then
  if command -v kubectl >/dev/null; then
    ln -s "$(command -v kubectl)" "$place/kubectl"
  elif command -v go >/dev/null; then
    # In a module of its own, so that nothing of the user's Go setup changes.
    work="$place/kubectl-build"
    mkdir -p "$work"
    (cd "$work" && { [ -f go.mod ] || go mod init kubectl-build; } >/dev/null 2>&1 && go get k8s.io/kubectl@v0.36.3 >/dev/null 2>&1 \
      && cat >main.go <<'GO' && go mod tidy >/dev/null 2>&1 && CGO_ENABLED=0 go build -o "$place/kubectl" .
// The kubectl command, from its library.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
}
GO
    ) || echo "external clients: no kubectl (it could not be built with go)" >&2
  else
    echo "external clients: no kubectl (kubectl itself, or go to build it, is needed)" >&2
  fi
fi
exit 0
