#!/bin/sh
# Make a recipe's model again, from Flickr8k's images and captions:
#
#     recipes/flickr8k.sh flickr8k-attention Flickr8k OUT
#
# Flickr8k holds images/, Flickr8k.token.txt, Flickr_8k.trainImages.txt and Flickr_8k.devImages.txt;
# OUT gets the dataset and the run, and the runs of the teachers where the recipe has some. Stopped,
# the same command goes on. One BLAS thread: the products of a time step are small.
set -eu
recipe=$1 source=$2 out=$3
here=$(dirname "$0")
teachers=""
case $recipe in
    flickr8k-distilled) features="--features grid --size 288 --views 4" teachers="1 2 3" ;;
    flickr8k-attention | flickr8k-teacher) features="--features grid --size 288 --views 1" ;;
    flickr8k-lstm) features="" ;;
    flickr8k-characters) features="--tokens char" ;;
    *) echo "$0: no recipe $recipe; there are" \
            "$(basename -s .toml -a "$here"/*.toml | paste -s -d " " -)" >&2; exit 2 ;;
esac
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"

# train RUN RECIPE [OPTION ...]: begin, or go on; in the place of the shell that calls it.
train() {
    run=$1 settings=$2
    shift 2
    if [ -e "$run/config.toml" ]; then
        exec limner train "$out/dataset" --out "$run" --resume
    else
        exec limner train "$out/dataset" --out "$run" --config "$here/$settings.toml" "$@"
    fi
}

# shellcheck disable=SC2086  # several words
limner prepare "$source/images" --captions "$source/Flickr8k.token.txt" \
    --split "train=$source/Flickr_8k.trainImages.txt" \
    --split "dev=$source/Flickr_8k.devImages.txt" $features --out "$out/dataset"
learning=""
pids=""
for seed in $teachers; do  # all at once
    train "$out/teacher-$seed" flickr8k-teacher --seed "$seed" 2> "$out/teacher-$seed.log" &
    pids="$pids $!"
    learning="$learning --teacher $out/teacher-$seed"
done
# shellcheck disable=SC2064,SC2086  # these processes
[ -z "$pids" ] || trap "kill $pids 2>/dev/null" EXIT INT TERM
seed=0
for pid in $pids; do
    seed=$((seed + 1))
    wait "$pid" || { cat "$out/teacher-$seed.log" >&2; exit 1; }
done
trap - EXIT INT TERM
# shellcheck disable=SC2086
(train "$out/run" "$recipe" $learning)
limner evaluate "$out/run" --no-java
