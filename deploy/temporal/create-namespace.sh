#!/bin/sh
# Creates the namespace and the search attributes of the runs. Leaves alone what is there, so this runs on every start.
# Reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE (also by the Temporal CLI) and RETENTION.
set -eu
temporal operator cluster health
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
# The server's cache learns of a new namespace after some seconds; until then it says that there is none.
tries=60
until temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "namespace $TEMPORAL_NAMESPACE was created but is not found after 60 s" >&2; exit 1; }
  sleep 1
done
# One command an attribute: with several names and one type, Temporal CLI 1.5 registers the first and reports success.
for name in ProvisionServer ProvisionSite ProvisionPhase ProvisionGate ProvisionOutcome; do
  temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword
done
