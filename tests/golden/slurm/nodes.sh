#!/bin/sh
# trainmake-0123456789ab, a run of trainmake; `trainmake help slurm` tells what lies here.
cd '/shared/runs/w/0123456789ab' || exit 1
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
cp -R '/shared/trees/code-1' code && chmod -R u+w code || leave 1

# What Slurm tells of the job's share; all else is said in `command`.
set --
for name in $(env | sed -nE 's/^(SLURM_[A-Z0-9_]+|CUDA_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|ZE_AFFINITY_MASK)=.*/\1/p'); do
  eval "value=\$$name"
  set -- "$@" "$name=$value"
done

# Where its processes, one on each node, find each other.
set -- "$@" "SRUN=$(command -v srun)" "MASTER_PORT=$((20000 + SLURM_JOB_ID % 10000))"
set -- "$@" "MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"

trap 'asked=true; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
env -i "$@" /bin/sh ./command </dev/null &
child=$!
watchdog=
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

==== command
export HOME='/shared/runs/w/0123456789ab/home'
export LANG='C.UTF-8'
export PATH='/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
export TRAINMAKE_CHECKPOINT_DIR='/shared/checkpoints/w/c'
export TRAINMAKE_CODE_DIR='/shared/runs/w/0123456789ab/code'
export TRAINMAKE_DATA_DIR='/shared/trees/data-1'
export TRAINMAKE_LABEL='//job:j'
export TRAINMAKE_LOG_DIR='/shared/runs/w/0123456789ab/log'
export TRAINMAKE_OUTPUT_DIR='/shared/runs/w/0123456789ab/output'
export TRAINMAKE_PARAMS='/shared/runs/w/0123456789ab/params.json'
export TRAINMAKE_RUN='0123456789ab'
. '/shared/runs/w/0123456789ab/secrets'
rm -f '/shared/runs/w/0123456789ab/secrets'
exec "$SRUN" --nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=3 --kill-on-bad-exit=1 --label --input=none --export=ALL /bin/sh '/shared/runs/w/0123456789ab/task'

==== task
export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" NODE_RANK="$SLURM_NODEID" WORLD_SIZE="$SLURM_NTASKS"
unset SRUN
cd '/shared/runs/w/0123456789ab/code' || exit 1
exec env -u OLDPWD -u PWD -u SHLVL -u _ 'true'
