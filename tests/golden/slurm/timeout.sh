#!/bin/sh
# trainmake-0123456789ab, a run of trainmake; `trainmake help slurm` tells what lies here.
cd '/it'\''s shared/runs' || exit 1
unset SLURM_EXPORT_ENV SLURM_GET_USER_ENV

# Of several jobs of one run the first one goes on. It begins anew when Slurm says that it starts it again, unless the
# command had come to its end.
ln -s "$SLURM_JOB_ID" owner 2>/dev/null
[ "$(readlink owner)" = "$SLURM_JOB_ID" ] || exit 0
mkdir "start-${SLURM_RESTART_COUNT:-0}" 2>/dev/null || exit 0
grep -q '"asked":false' exit.json 2>/dev/null && exit 0
leave() {
  printf '{"exit_code":%d,"asked":%s,"started_ns":%s,"ended_ns":%s}\n' "$1" "$asked" "$started" "$(date +%s%N)" >exit.new
  mv exit.new exit.json
  exit "$1"
}
asked=false child=
started=$(date +%s%N)
echo "$started" >started.new && mv started.new started
rm -rf code output home timed-out exit.json
mkdir -p output home log '/shared/checkpoints/w/c' || leave 1
mkdir code || leave 1

# What Slurm tells of the job's share; all else is said in `command`.
set --
for name in $(env | sed -nE 's/^(SLURM_[A-Z0-9_]+|CUDA_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|ZE_AFFINITY_MASK)=.*/\1/p'); do
  eval "value=\$$name"
  set -- "$@" "$name=$value"
done

trap 'asked=true; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
env -i "$@" /bin/sh ./command </dev/null &
child=$!
(
  trap '' TERM
  sleep 90
  echo 90 >timed-out
  kill -TERM 0
  sleep 10
  kill -KILL "$child"
) </dev/null >/dev/null 2>&1 &
watchdog=$!
{
  wait "$child"
  code=$?
  while kill -0 "$child"; do # a signal ended the waiting alone
    wait "$child"
    code=$?
  done
} 2>/dev/null
[ -z "$watchdog" ] || kill -KILL "$watchdog" 2>/dev/null
leave "$code"
