"""The sh of call-errors: find the process, make its calls fail at a rate that may change, count, and end it all."""

from __future__ import annotations

FIND = """\
find() { # the unit's main process: its pid, and when it was born
  main=$(systemctl show -p MainPID --value "$unit")
  [ "${main:-0}" -gt 1 ] || { echo "$unit has no main process"; return 1; }
  born=$(alive "$main")
  [ -n "$born" ] || { echo "$unit has no living main process"; return 1; }
}
same() { [ -n "$born" ] && [ "$(alive "$main")" = "$born" ]; }
tracer() { cat "/proc/$main/task"/*/status 2>/dev/null | awk '$1 == "TracerPid:" && $2 > 0 { print $2; exit }'; }
stopped() { grep -q '^State:[^a-zA-Z]*[Tt]' "/proc/$main/status" 2>/dev/null; }
preloaded() { # does libfiu listen in it? then at $fifo
  grep -q fiu_posix_preload "/proc/$main/maps" 2>/dev/null || return 1
  fifo=$(tr '\\0' '\\n' <"/proc/$main/environ" | sed -n 's/^FIU_CTRL_FIFO=//p')
  inner=$(awk '$1 == "NSpid:" { print $NF }' "/proc/$main/status")
  case $fifo in /*) ;; *) return 1 ;; esac
  plain=$fifo-$inner fifo=/proc/$main/root$fifo-$inner
  [ -p "$fifo.in" ] && [ -p "$fifo.out" ]
}
"""

CHOOSE = """\
choose() { # the backend
  case $backend in
  auto) if preloaded; then backend=libfiu; else backend=strace; fi ;;
  libfiu) preloaded || { echo "$unit was not started with libfiu's preload and its FIU_CTRL_FIFO"; return 1; } ;;
  esac
  [ "$backend" != strace ] || command -v strace >/dev/null ||
    { echo "$unit has no libfiu preload, and strace is not installed: apt install strace"; return 1; }
  [ "$backend" != strace ] || [ "$modes" = 1 ] ||
    { echo "$unit has no libfiu preload: without it only one mode at a time can be made"; return 1; }
}
free() { # may it be traced? 3: another one's hands are on it
  by=$(tracer)
  [ -z "$by" ] || { echo "$unit is traced already, by process $by: $(tr '\\0' ' ' <"/proc/$by/cmdline")"
    echo "fix: end that debugger first"; return 3; }
  ! stopped || { echo "$unit is stopped"; echo "fix: let it run on: kill -CONT $main"; return 3; }
}
"""

TELL = """\
tell() { # lines on standard input to the preload; its answers, a line each
  timeout -s KILL 3 sh -c 'cat >"$1.in" && cat "$1.out"' sh "$fifo" 2>/dev/null
}
"""

RATE = """\
step() { # RATE: one in how many calls comes nearest to it
  if [ "$1" -le 0 ]; then step=0; return; fi
  step=$((1000 / $1))
  [ $(((1000 - $1 * step) * (step + 1))) -le $((($1 * (step + 1) - 1000) * step)) ] || step=$((step + 1))
}
"""

CONTROL = """\
clock() { read -r clock _ </proc/uptime; clock=${clock%.*}${clock#*.}; }
level() { # how much of the rates is due now, in thousandths
  clock
  case $schedule in
  ramp) level=$(((clock - began) * 1000 / ramp)); [ $level -lt 1000 ] || level=1000 ;;
  pulse) if [ $(((clock - began) % (on + off))) -lt $on ]; then level=1000; else level=0; fi ;;
  *) level=1000 ;;
  esac
}
apply_libfiu() {
  first=1
  while read -r errno rate names; do
    [ -z "$first" ] || rate=$want
    first= rate=$((rate * level / 1000))
    for name in $names; do
      [ $rate = 0 ] || echo "$name" >>enabled # before it is: what is noted is taken back
      if [ $rate = 0 ]; then echo "disable name=$name"
      else printf 'enable_random name=%s,probability=%d.%03d,failinfo=%d\\n' \\
        "$name" $((rate / 1000)) $((rate % 1000)) "$errno"; fi
    done
  done <parts >commands
  answers=$(tell <commands) || return 1
  ! grep -q '^enable' commands || [ "$(echo "$answers" | grep -cx 0)" -ge "$(grep -c . <commands)" ]
}
apply_strace() {
  step $((want * level / 1000))
  [ "$step" != "$every" ] || return 0
  [ -z "$tracing" ] || { kill "$tracing" && wait "$tracing" || :; }
  tracing= every=$step
  echo "$step" >step
  [ "$step" != 0 ] || return 0
  strace -f -qq -s 0 -e raw=all -e signal=none -e "trace=$calls" -e "inject=$calls:$effect:when=1+$step" \\
    -p "$main" -o calls.fifo </dev/null 2>traced.said &
  tracing=$!
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -z "$(tracer)" ] || return 0
    sleep 0.1
  done
  return 1
}
apply_kill() { :; }
panic() { # at each tick: does it fall now?
  [ "$backend" = kill ] || return 0
  clock
  [ $clock -ge $((began + tick * every_h)) ] || return 0
  tick=$((tick + 1)) seed=$(((seed * 1103515245 + 12345) % 2147483648))
  [ $((seed / 65536 % 1000)) -lt $((want * level / 1000)) ] || return 0
  main=$(systemctl show -p MainPID --value "$unit")
  [ "${main:-0}" -gt 1 ] && kill -KILL "$main" 2>/dev/null && echo "$((clock - began)) $main" >>panics
}
control() {
  last= every= tracing= tick=1
  clock
  began=$clock end=$((clock + limit * 100))
  while [ "$backend" = kill ] || same; do
    read -r want <want
    [ "$want" -le "$ceiling" ] || want=$ceiling
    level
    [ "$clock" -lt "$end" ] || { level=0; panic() { :; }; }
    if [ "$want $level" != "$last" ]; then
      if "apply_$backend"; then
        last="$want $level"
        echo "$((want * level / 1000))" >now.new && mv now.new now
        rm -f trouble
      else echo "$unit could not be told its rate: $(cat traced.said 2>/dev/null)" >trouble; fi
    fi
    panic || :
    [ -z "$tracing" ] || kill -0 "$tracing" 2>/dev/null || { every= last= tracing=; }
    sleep 0.4
  done
}
"""

COUNT = """\
count() { # what strace tells, into the file `calls`, once a second
  case $(awk -W version 2>&1 </dev/null) in mawk*) lines='-W interactive' ;; *) lines= ;; esac # not by whole blocks
  awk $lines '
    function save(  key) {
      for (key in seen) print "seen", key, seen[key] >"calls.new"
      for (key in hit) print "hit", key, hit[key] >"calls.new"
      print "end" >"calls.new"; close("calls.new"); system("mv calls.new calls")
    }
    carry != "" { $0 = carry $0; carry = "" }
    /tick$/ { save(); carry = substr($0, 1, length($0) - 4); next } # it may fall into a line
    /<unfinished \\.\\.\\.>$/ || !/ = / { next }
    { name = $2; if (name == "<...") name = $3; else sub(/\\(.*/, "", name); seen[name]++ }
    /\\(INJECTED\\)$/ && match($0, / = -1 [A-Z0-9]+ /) { hit[name " " substr($0, RSTART + 6, RLENGTH - 7)]++ }
    /\\(DELAYED\\)$/ { hit[name " slow"]++ }
  ' <calls.fifo
}
"""

INJECT = """\
find && free && choose || exit 1
echo "$backend" >backend
echo "$main $born" >instance
[ "$backend" != libfiu ] || echo "$fifo $plain" >fifo
state=$(systemctl show -p ActiveState --value "$unit")
[ "$state" != active ] || echo "$unit" >was-active
errors >errors-before
echo "$first" >want
if [ "$backend" = strace ]; then
  mkfifo calls.fifo
  count </dev/null >count.said 2>&1 &
  # Only the counter reads: were it gone, strace would end at its next line, and let go of the process.
  { while [ $limit -gt 0 ] && echo tick; do limit=$((limit - 1)); sleep 1; done; } </dev/null >calls.fifo 2>/dev/null &
fi
control </dev/null >control.said 2>&1 &
echo "$! $(alive $!)" >controller
"""

ERRORS = """\
page() {
  if command -v curl >/dev/null; then curl -fsS -m 3 "$metrics" 2>/dev/null
  else wget -q -t 1 -T 3 -O - "$metrics" 2>/dev/null; fi
}
unanswered() { # does one of 20 questions to the service fail?
  asked=0
  while [ -n "$metrics" ] && [ $asked -lt 20 ]; do
    asked=$((asked + 1))
    page >/dev/null || return 0
  done
  return 1
}
errors() { # what the service itself counts: an error and its count, a line each; nothing where it does not tell
  [ -n "$metrics" ] || return 0
  page | awk '
    /^[a-z_]*_errors_total\\{.*errno="/ { e = $0; sub(/.*errno="/, "", e); sub(/".*/, "", e); n[e] += $NF; any = 1 }
    /^[a-z_]*_errors?_total/ { any = 1 }
    END { for (e in n) print e, n[e]; if (any) print "told 1" }'
}
"""

EFFECT = """\
[ -f controller ] || { echo 'nothing was started'; exit 1; }
read -r backend <backend
read -r main born <instance
read -r pid start <controller
[ ! -f trouble ] || { cat trouble; exit 1; }
[ "$backend" = kill ] || same || { echo "$unit's process $main has ended"; exit 1; }
[ "$(alive "$pid")" = "$start" ] || { echo "what holds the rate has ended: $(cat control.said)"; exit 1; }
[ -f now ] || { echo 'in progress: not told yet'; exit 3; }
read -r want <want
[ "$want" -gt 0 ] || { echo 'the rate is 0 %: no call is made to fail'; exit 0; }
read -r now <now
at="$((now / 10)).$((now % 10)) %"
case $backend in
kill)
  [ -s panics ] || { echo "in progress: nobody was killed yet; the first is due after $due s"; exit 3; }
  echo "$unit was killed $(grep -c . <panics) times, last as process $(tail -n 1 panics | cut -d' ' -f2)" ;;
strace)
  for _ in 1 2 3 4 5 6 7 8; do
    read -r now <now
    [ "$now" -gt 0 ] && [ -z "$(tracer)" ] || break
    sleep 0.2 # it may just be attaching anew, for another rate
  done
  [ "$now" = 0 ] || [ -n "$(tracer)" ] || { echo "nobody traces process $main of $unit: $(cat traced.said)"; exit 1; }
  [ "$(grep -c . <calls 2>/dev/null)" -gt 0 ] 2>/dev/null || { echo 'in progress: not counted yet'; exit 3; }
  awk -v step="$(cat step)" -v unit="$unit" '
    $1 == "seen" { seen += $3 } $1 == "hit" { hit += $4; kind[$3] += $4 }
    END {
      for (k in kind) of = of (of ? ", " : "") kind[k] " " k
      rate = (step > 0) ? "one in " step " of each thread" : "none"
      printf "%d of %d calls of %s were hit (%s); strace now takes %s\\n", hit, seen, unit, (of ? of : "none"), rate
      exit (hit == 0)
    }' calls ;;
libfiu)
  errors >errors-now
  before=$(awk -v e="$errno" '$1 == e { print $2 }' errors-before)
  after=$(awk -v e="$errno" '$1 == e { print $2 }' errors-now)
  fresh=$(awk -v a="${after:-0}" -v b="${before:-0}" 'BEGIN { printf "%d", a - b }')
  if [ "$fresh" -gt 0 ]; then
    echo "$unit counts $fresh more $errno errors; the preload answers that $at of the calls fail"
  elif [ "$subsystem" != network ] && grep -q '^told' errors-now; then
    echo "the preload answers that $at of the calls fail, but $unit counts no $errno error: is anything called?"
    exit 1
  elif [ "$subsystem" = network ] && unanswered; then
    echo "the preload answers that $at of the calls fail; of $asked questions of our own the last got no answer"
  else
    echo "the preload answers that $at of the calls fail"
    echo "finding: libfiu keeps no counters, and $unit tells none of $errno: how many calls failed is not known"
  fi ;;
esac
"""

REVERT = """\
[ -f instance ] || { echo 'nothing was done, nothing to take back'; exit 0; }
read -r main born <instance
failed=0
if [ -f enabled ]; then
  read -r fifo plain <fifo
  sort -u enabled | sed 's/^/disable name=/' >disable
  if same; then
    # Whoever was killed while it was telling has left the preload waiting for its reader.
    answers=$(tell <disable) || {
      timeout -s KILL 1 cat "$fifo.out" >/dev/null 2>&1 || :
      answers=$(tell <disable) || answers=
    }
    # What that one had told and not read the answer to is answered here too.
    if [ "$(echo "$answers" | grep -cxE '0|-1')" -ge "$(grep -c . <disable)" ]; then echo "the preload's points are off"
    elif same; then echo "the preload of $unit (process $main) does not answer: restart $unit"; failed=1; fi
  fi
  if ! same && [ ! -d "/proc/${plain##*-}" ]; then
    for end in in out; do [ ! -p "$plain.$end" ] || rm -f "$plain.$end"; done
  fi
fi
if same; then
  tries=50
  while [ -n "$(tracer)" ] && [ $tries -gt 0 ]; do # ours is dead; the kernel is letting go
    tries=$((tries - 1))
    sleep 0.1
  done
  ! stopped || [ -n "$(tracer)" ] || { kill -CONT "$main" && echo "$unit was stopped, and runs on"; }
fi
[ $failed = 0 ] || exit 1
"""

CLEAN = """\
[ -f instance ] || exit 0
read -r main born <instance
same || exit 0 # another process: nothing can be left in it
! stopped || [ -n "$(tracer)" ] || { echo "$unit's process $main is stopped"; exit 1; }
[ -f enabled ] || exit 0
read -r fifo plain <fifo
sort -u enabled | sed 's/^/disable name=/' >asked
answers=$(tell <asked) || { same || exit 0; echo "the preload of process $main does not answer"; exit 2; }
# To disable what is not enabled is answered by -1: this is how libfiu can be asked.
[ "$(echo "$answers" | grep -cx -e -1)" = "$(grep -c . <asked)" ] ||
  { echo "failure points were still on in process $main of $unit"; exit 1; }
"""
