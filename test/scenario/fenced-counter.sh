# Adds one to a counter, in two steps that only a lock makes one: bash fenced-counter.sh COUNTER LOG
# The counter is fenced: its file holds the highest token that has acted, and a lower one is refused.
set -eu
counter=$1 log=$2
echo "$HOLDFAST_TOKEN in" >> "$log"
read -r highest value < "$counter"
if (( HOLDFAST_TOKEN <= highest )); then
  echo "$HOLDFAST_TOKEN refused" >> "$log"
  exit 9
fi
sleep 0.005
echo "$HOLDFAST_TOKEN $(( value + 1 ))" > "$counter"
echo "$HOLDFAST_TOKEN out" >> "$log"
