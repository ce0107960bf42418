#!/usr/bin/env bash
# Pictures of the program's pages in headless Chromium, as wide as a screen and as a phone:
#     bash tests/screenshots.sh FOLDER PAGE.html ...
# writes FOLDER/NAME-1200.png and FOLDER/NAME-420.png. Pages are shown inside a frame of that width,
# because Chromium's own windows are at least 500 pixels wide.
set -euo pipefail
out=${1:?folder for the pictures}
shift
command -v chromium >/dev/null || { echo "screenshots.sh: install chromium" >&2; exit 1; }
mkdir -p "$out"
frame=$(mktemp --suffix .html)
trap 'rm -f "$frame"' EXIT
for page in "$@"; do
    name=$(basename "$(dirname "$(realpath "$page")")")-$(basename "$page" .html)
    for width in 1200 420; do
        height=${HEIGHT:-3200}
        printf '<body style="margin:0"><iframe src="file://%s" style="border:0;width:%spx;height:%spx"></iframe>' \
            "$(realpath "$page")" "$width" "$height" >"$frame"
        chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files \
            --window-size="$((width < 500 ? 500 : width)),$height" --virtual-time-budget=4000 \
            --screenshot="$out/$name-$width.png" "file://$frame" >/dev/null 2>&1
    done
done
