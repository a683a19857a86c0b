#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two "hosts" a and b, as network namespaces: each has a decoy interface that comes first, and one that leads to the
# other host. Which one does a rank take when GLOO_SOCKET_IFNAME is not set, and do the two train together?
# Usage: network_namespaces_test.sh PRINT_INTERFACE_BINARY [GRADWIRE]
set -euo pipefail
binary=$1 program=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
a=gradwire-a-$$ b=gradwire-b-$$
output=$(mktemp -d)
trap 'ip netns delete $a 2>/dev/null || true; ip netns delete $b 2>/dev/null || true; rm -rf "$output"' EXIT
unset GLOO_SOCKET_IFNAME

if ! why=$(ip netns add $a 2>&1 && ip netns add $b 2>&1); then
  echo "SKIPPED: this test makes two network namespaces, which needs root (CAP_SYS_ADMIN) and iproute2: $why"
  exit 77
fi
# The decoys are looked at first: lower index, and first in the alphabet.
ip -n $a link add decoy0 type veth peer name decoy0 netns $b
ip -n $a link add uplink0 type veth peer name uplink0 netns $b
for host in 1 2; do
  namespace=$([ $host = 1 ] && echo $a || echo $b)
  ip -n $namespace address add 10.66.$host.1/24 dev decoy0
  ip -n $namespace address add 10.77.0.$host/24 dev uplink0
  for link in lo decoy0 uplink0; do ip -n $namespace link set $link up; done
  ipv6=yes
  ip -n $namespace -6 address add fd77::$host/64 dev uplink0 nodad 2>/dev/null || ipv6=no
done

failures=0
# check RANK NAMESPACE MASTER_ADDR EXPECTED: the output, or a part of the error, of a rank there.
check() {
  local got
  got=$(ip netns exec "$2" env RANK="$1" WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 MASTER_ADDR="$3" \
    MASTER_PORT=29500 "$binary" 2>&1) || true
  if [[ $got == *"$4"* ]]; then
    echo "ok      rank $1, MASTER_ADDR $3: $got"
  else
    echo "FAILED  rank $1, MASTER_ADDR $3: expected '$4', got '$got'"
    failures=$((failures + 1))
  fi
}

check 0 $a 10.77.0.1 "uplink0 10.77.0.1"  # rank 0 is on the master's host: its route to itself is over lo
check 1 $b 10.77.0.1 "uplink0 10.77.0.2"
check 1 $b 127.0.0.1 "loopback address 127.0.0.1"
check 1 $b 192.0.2.1 "no interface routes to MASTER_ADDR '192.0.2.1' (Network is unreachable)"
GLOO_SOCKET_IFNAME=decoy0 check 1 $b 10.77.0.1 "decoy0 10.66.2.1"
if [ $ipv6 = yes ]; then
  check 0 $a fd77::1 "uplink0 fd77::1"
  check 1 $b fd77::1 "uplink0 fd77::2"
else
  echo "IPv6 is switched off here: not checked"
fi

# train NAMESPACE WORD...
train() {
  ip netns exec "$1" env OMP_NUM_THREADS=1 "${environment[@]}" "$program" train "$here/../../configs/quickstart.yaml" \
    data.dataset=synthetic data.batch_size=4 comm.timeout_s=60 run.output_dir="$output/run" "${@:2}"
}
# rank RANK NAMESPACE WORLD_SIZE WORD...: trains as that rank.
rank() {
  local environment=(RANK="$1" WORLD_SIZE="$3" LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 MASTER_ADDR=10.77.0.1 MASTER_PORT=29500)
  train "$2" "${@:4}"
}
if [ -n "$program" ]; then
  rank 1 $b 2 train.steps=3 >"$output/rank1.txt" 2>&1 &
  if rank 0 $a 2 train.steps=3 >"$output/rank0.txt" 2>&1 && wait $! &&
      grep -q "0 at 10.77.0.1 (uplink0), 1 at 10.77.0.2 (uplink0)" "$output/rank0.txt"; then
    echo "ok      two ranks train over uplink0"
  else
    echo "FAILED  two ranks train over uplink0:"
    cat "$output"/rank?.txt
    failures=$((failures + 1))
  fi

  words=(train.mode=async lr_scheduler.name=constant lr_scheduler.warmup_epochs=0 train.steps=400)
  environment=()
  train $a "${words[@]}" --join 10.77.0.1:29500 >"$output/here.txt" 2>&1 &
  train $b "${words[@]}" --join 10.77.0.1:29500 >"$output/there.txt" 2>&1 &
  if rank 0 $a 1 "${words[@]}" >"$output/server.txt" 2>&1 && wait $! &&
      [ "$(tail -n +2 "$output/run/jobs.csv" | cut -d, -f2 | sort -u | tr '\n' ' ')" = "1 2 " ]; then
    echo "ok      workers join from the server's host and from another one"
  else
    echo "FAILED  workers join from the server's host and from another one:"
    cat "$output"/{server,here,there}.txt "$output/run/jobs.csv" | head -60
    failures=$((failures + 1))
  fi
fi
exit $((failures > 0))
