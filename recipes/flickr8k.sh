#!/bin/sh
# Make a recipe's model again, from Flickr8k's pictures and captions:
#
#     recipes/flickr8k.sh flickr8k-attention Flickr8k OUT
#
# Flickr8k holds images/, Flickr8k.token.txt, Flickr_8k.trainImages.txt and Flickr_8k.devImages.txt;
# OUT gets the dataset and the run. Stopped, the same command goes on. One BLAS thread: the products
# of a time step are small.
set -eu
recipe=$1 source=$2 out=$3
here=$(dirname "$0")
case $recipe in
    flickr8k-attention) features="--features grid --size 288 --views 4" ;;
    flickr8k-lstm) features="" ;;
    flickr8k-characters) features="--tokens chars" ;;
    *) echo "$0: no recipe $recipe; there are flickr8k-attention, flickr8k-lstm and" \
            "flickr8k-characters" >&2; exit 2 ;;
esac
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
# shellcheck disable=SC2086  # several words
limner prepare "$source/images" --captions "$source/Flickr8k.token.txt" \
    --split "train=$source/Flickr_8k.trainImages.txt" \
    --split "dev=$source/Flickr_8k.devImages.txt" $features --out "$out/dataset"
if [ -e "$out/run/config.toml" ]; then
    limner train "$out/dataset" --out "$out/run" --resume
else
    limner train "$out/dataset" --out "$out/run" --config "$here/$recipe.toml"
fi
limner evaluate "$out/run" --no-java
