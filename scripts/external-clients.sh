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
  elif [ -x target/control-plane/tools/kubectl ]; then
    ln -s "$PWD/target/control-plane/tools/kubectl" "$place/kubectl"
  elif command -v go >/dev/null; then
    (cd tests/control-plane && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -o "$place/kubectl" k8s.io/kubernetes/cmd/kubectl) \
      || echo "external clients: no kubectl (it could not be built with go)" >&2
  else
    echo "external clients: no kubectl (kubectl itself, or go to build it, is needed)" >&2
  fi
fi
exit 0
