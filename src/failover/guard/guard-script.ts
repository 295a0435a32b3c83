/**
 * The guard itself: a bash program that ends a member's whole process tree when its deadline passes. Bash, because it is everywhere, takes
 * less than 1 MB of its own, and keeps its time to within 50 ms under load; nothing in its loop needs another process.
 *
 *     bash guard.sh HOME WATCHDOG|- CGROUP|- directory DATA MAIN_PID_FILE
 *     bash guard.sh HOME WATCHDOG|- CGROUP|- session PID_FILE
 *
 * HOME holds two FIFOs. Records in `control` are of 64 bytes, filled up with spaces, the last a newline: so each takes one read. OWNER is
 * 16 hexadecimal digits that an agent draws for itself, and only the owner is obeyed, so that an agent which was stopped and replaced can
 * not renew for its successor:
 *
 *     OWNER own - SEQ                  from now on this is the owner
 *     OWNER deadline MS|never SEQ|-    milliseconds since boot, as /proc/uptime counts
 *     OWNER end - SEQ|-                the guard is no longer needed
 *
 * Each record with a SEQ is answered by a line in `reply`: `ok OWNER SEQ PID TICKS`; while it is killing `wait OWNER SEQ PID TICKS`, and
 * `ok` once nothing is left; `no OWNER SEQ PID TICKS` to whom is not the owner. Whatever else is written is dropped, with all that waits
 * behind it: whoever needs an answer asks again. `identity` holds PID TICKS; `strike` is about the last kill.
 */
export const recordBytes = 64;

export const guardScript = `#!/usr/bin/env bash
# Holdfast guard. Ends a service when its deadline passes and its agent has not renewed it. Kill the agent first if you must kill this.
set -u
LC_ALL=C
trap '' HUP INT

home=$1 watchdog=$2 cgroup=$3 kind=$4 target=$5
main_file=$target
[[ $kind == directory ]] && main_file=$6
owner='' deadline=never ending='' striking='' answer_later=''
now=0 petted=0 heard=0 failures=0 watching=''
# An orphan guard, whose service has gone too, ends after this time.
readonly orphan_ms=3600000

read_now() {
  local up rest
  read -r up rest < /proc/uptime
  now=$(( 10#\${up/./} * 10 ))
}

# What /proc/PID/stat says; the name in it may hold anything, a parenthesis or a newline too.
read_stat() {
  local text=''
  stat_ticks=''
  { IFS= read -r -d '' text < "/proc/$1/stat"; } 2>/dev/null
  [[ -n $text ]] || return 1
  set -f
  set -- \${text##*) }
  set +f
  stat_state=$1 stat_parent=$2 stat_session=$4 stat_ticks=\${20}
  [[ $stat_state != [ZX] ]]
}

reply() {
  printf '%s %s %s %s %s\\n' "$1" "$2" "$3" "$$" "$own_ticks" >&4
}

is_number() {
  [[ -n $1 && $1 != *[!0-9]* ]] && (( \${#1} <= $2 ))
}

# One record of the agent, or anything of anybody.
take() {
  if [[ \${#1} != ${recordBytes} || $1 != *$'\\n' ]]; then
    drop_rest
    return 0
  fi
  set -f
  set -- $1
  set +f
  (( $# == 4 )) || return 0
  local from=$1 verb=$2 value=$3 sequence=$4
  [[ \${#from} == 16 && $from != *[!0-9a-f]* ]] || return 0
  [[ $sequence == - ]] && sequence=''
  [[ -z $sequence ]] || is_number "$sequence" 9 || return 0
  case $verb in
    own) owner=$from ;;
    deadline) [[ $value == never ]] || is_number "$value" 15 || return 0 ;;
    end) ;;
    *) return 0 ;;
  esac
  if [[ $from != "$owner" ]]; then
    [[ -n $sequence ]] && reply no "$from" "$sequence"
    return 0
  fi
  heard=$now
  case $verb in
    end) ending=1 ;;
    deadline) deadline=$value ending='' ;;
  esac
  [[ -n $sequence ]] || return 0
  if [[ -n $striking ]]; then
    answer_later="$from $sequence"
    reply wait "$from" "$sequence"
  else
    reply ok "$from" "$sequence"
  fi
}

# What is no record may have shifted those behind it: begin anew with the next that is written.
drop_rest() {
  local count=0 junk
  while (( ++count <= 1024 )) && read -r -t 0 -u 3; do IFS= read -r -t 0.01 -N ${recordBytes} -u 3 junk; done
}

# Waits for one record, at most $1 seconds.
pump() {
  local record='' status
  IFS= read -r -t "$1" -N ${recordBytes} -u 3 record
  status=$?
  if (( status == 0 )); then
    failures=0
    take "$record"
  elif (( status <= 128 )); then
    # Neither a record nor time over: never spin on a broken pipe.
    (( ++failures < 10 )) || exit 1
  fi
}

passed() {
  [[ $deadline != never ]] && (( now >= 10#$deadline ))
}

# The main process, if the pid file names one that is ours; else empty.
find_main() {
  local pid='' ticks='' rest=''
  main=''
  { read -r pid ticks rest < "$main_file"; } 2>/dev/null
  [[ $pid =~ ^[1-9][0-9]{0,9}$ ]] || return 0
  if [[ $kind == session ]]; then
    # A leader that has gone leaves its session to its children; another process with its number means that all are gone.
    if read_stat "$pid" && [[ $stat_ticks == "$ticks" && $stat_session == "$pid" ]]; then main=$pid; fi
    if [[ -z $stat_ticks || $stat_ticks == "$ticks" ]]; then session=$pid; fi
  elif [[ "/proc/$pid/cwd" -ef $target ]] && read_stat "$pid"; then
    main=$pid
  fi
}

is_member() {
  if [[ $kind == session ]]; then
    [[ -n $session ]] && read_stat "$1" && [[ $stat_session == "$session" ]]
  else
    [[ "/proc/$1/cwd" -ef $target ]] && return 0
    cd -P "/proc/$1/cwd" 2>/dev/null && [[ $PWD == "$resolved"/* ]]
  fi
}

end() {
  kill -KILL "$1" 2>/dev/null && ended[$1]=1
}

# The main process is stopped first, so that it starts nothing any more; then its children go, which needs no look at their
# directories; then it; then whoever else works there, until nobody is left.
strike() {
  local began=$now due=$deadline rounds=0 entry pid found
  local main='' session='' resolved=$target
  local -A ended=()
  striking=1
  if [[ $cgroup != - ]]; then { printf 1 > "$cgroup/cgroup.kill"; } 2>/dev/null; fi
  find_main
  if [[ -n $main ]]; then
    kill -STOP "$main" 2>/dev/null
    for entry in /proc/[0-9]*; do
      pid=\${entry#/proc/}
      if read_stat "$pid" && [[ $stat_parent == "$main" ]]; then end "$pid"; fi
    done
    end "$main"
  fi
  cd -P "$target" 2>/dev/null && resolved=$PWD
  while :; do
    found=''
    for entry in /proc/[0-9]*; do
      pid=\${entry#/proc/}
      [[ $pid == "$$" ]] && continue
      if is_member "$pid"; then
        found=1
        end "$pid"
      fi
    done
    cd /
    [[ -n $found ]] || break
    # Killed is not gone yet; a process that waits for a disk goes when the disk answers.
    if (( ++rounds < 100 )); then pump 0.01; else pump 0.2; fi
    read_now
  done
  read_now
  passed && deadline=never
  striking=''
  if [[ -n $answer_later ]]; then
    reply ok $answer_later
    answer_later=''
  fi
  printf '%s %s %s %s %(%s)T\\n' "$due" "$began" "$now" "\${#ended[@]}" -1 > "$home/strike"
  printf 'struck: deadline %s, began %s, done %s ms after boot, %s processes\\n' "$due" "$began" "$now" "\${#ended[@]}"
}

# What the agent wrote in time counts, even if we come late.
drain() {
  local count=0
  while (( ++count <= 64 )) && read -r -t 0 -u 3; do pump 0.01; done
}

open_watchdog() {
  [[ $watchdog != - ]] || return 0
  if { exec 8>> "$watchdog"; } 2>/dev/null; then watching=1; else printf 'can not open the watchdog %s\\n' "$watchdog"; fi
}

pet() {
  if [[ -n $watching ]] && (( now - petted >= 1000 )); then
    printf . >&8
    petted=$now
  fi
}

# The character by which a watchdog device is closed on purpose (Documentation/watchdog/watchdog-api.rst).
finish() {
  [[ -n $watching ]] && printf V >&8
  exit 0
}

# Nobody can reach us any more, or nothing is left to guard.
forsaken() {
  [[ $deadline == never ]] || return 1
  [[ -p $home/control ]] || return 0
  (( now - heard > orphan_ms )) && [[ ! -e $target ]]
}

main() {
  local left_ms seconds
  cd /
  exec 3<> "$home/control" 4<> "$home/reply" || exit 1
  read_stat "$$"
  own_ticks=$stat_ticks
  printf '%s %s\\n' "$$" "$own_ticks" > "$home/identity"
  { printf -- '-1000' > /proc/$$/oom_score_adj; } 2>/dev/null
  # Once, at the start: in time even on a machine that is overloaded, where that is allowed.
  chrt -f -p 1 "$$" > /dev/null 2>&1 || renice -n -15 -p "$$" > /dev/null 2>&1
  open_watchdog
  read_now
  heard=$now
  while :; do
    read_now
    if passed; then
      drain
      read_now
      passed && strike
      continue
    fi
    [[ -n $ending ]] && finish
    forsaken && finish
    pet
    left_ms=1000
    if [[ $deadline != never ]]; then
      left_ms=$(( 10#$deadline - now ))
      (( left_ms > 1000 )) && left_ms=1000
    elif [[ -z $watching ]]; then
      left_ms=5000
    fi
    printf -v seconds '%d.%03d' $(( left_ms / 1000 )) $(( left_ms % 1000 ))
    pump "$seconds"
  done
}

main
`;
