#!/usr/bin/env bash
# The whole API by curl alone: a session with a name, a call, events with a resume, discovery.
#
# by-curl.sh https://localhost:4433 ca.pem
set -euo pipefail
gateway=$1
ask() { curl -sS --fail-with-body --cacert "$ca" "$@"; }
ca=$2

# A session says who we are. Its token goes into a header.
token=$(ask --json '{"realm":"dev","subject":"script"}' "$gateway/v1/session" | sed 's/.*"token":"\([^"]*\)".*/\1/')
as() { ask -H "authorization: Bearer $token" "$@"; }

echo "call:      $(as --json '[1,2]' "$gateway/v1/rpc/dev/system.echo")"

first=$(as --json '"one"' "$gateway/v1/publish/dev/script.log" | sed 's/.*"id":"\([^"]*\)".*/\1/')
as --json '"two"' "$gateway/v1/publish/dev/script.log" >/dev/null
as --json '"three"' "$gateway/v1/publish/dev/script.log" >/dev/null

# Resumes behind the first event; the stream does not end by itself, so curl is given a second.
echo 'events behind the first:'
as -N --max-time 1 -H "last-event-id: $first" "$gateway/v1/subscribe/dev/script.**" 2>/dev/null |
  sed -n 's/^data: .*"publisher":"\([^"]*\)".*"payload":\(.*\)}$/  \1 says \2/p' || true

echo "topics:    $(as "$gateway/v1/discover/dev/script.**?kind=topic" | sed 's/.*"name":"\([^"]*\)".*/\1/')"

as -X DELETE "$gateway/v1/session"
code=$(curl -sS --cacert "$ca" -H "authorization: Bearer $token" "$gateway/v1/session" | sed 's/.*"code":"\([^"]*\)".*/\1/')
echo "afterwards: $code"
