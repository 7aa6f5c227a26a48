# Prints every enabled source of binary packages in one file of apt as `URI SUITE COMPONENTS SIGNED-BY`.
# https://manpages.debian.org/sources.list

# Of a file of mirrors, the first one counts.
function resolved(uri,   path, line) {
    if (uri !~ /^mirror\+file:/) return uri
    path = uri
    sub(/^mirror\+file:(\/\/)?/, "", path)
    while ((getline line <path) > 0)
        if (line ~ /^[a-z]+:/) {
            sub(/[ \t].*/, "", line)
            uri = line
            break
        }
    close(path)
    return uri
}

function put(uri, suite, components, key) {
    gsub(/[ \t]+/, ",", components)
    print resolved(uri), suite, components == "" ? "-" : components, key ~ /^\// ? key : "-"
}

function words(text) {
    gsub(/[ \t]+/, " ", text)
    gsub(/^ | $/, "", text)
    return text
}

# A stanza ends: every address with every suite. If the stanza contains the key itself, no file of it exists.
function finish(   uris, suites, n, m, i, j) {
    if (" " words(field["types"]) " " ~ / deb / && words(tolower(field["enabled"])) !~ /^(no|false|without|off|disable)$/) {
        n = split(words(field["uris"]), uris, " ")
        m = split(words(field["suites"]), suites, " ")
        for (i = 1; i <= n; i++)
            for (j = 1; j <= m; j++) put(uris[i], suites[j], words(field["components"]), words(field["signed-by"]))
    }
    split("", field)
}

/^[ \t]*#/ { next }

FILENAME ~ /\.list$/ {
    if (!sub(/^[ \t]*deb[ \t]+/, "")) next
    key = ""
    if ($0 ~ /signed-by=/) {
        key = $0
        sub(/.*signed-by=/, "", key)
        sub(/[] \t,].*/, "", key)
    }
    sub(/^\[[^]]*\][ \t]*/, "")
    sub(/[ \t]*#.*/, "")
    uri = $1
    suite = $2
    $1 = $2 = ""
    put(uri, suite, words($0), key)
    next
}

/^[ \t]*$/ { finish(); next }
/^[ \t]/ { field[name] = field[name] " " $0; next }
{
    name = tolower(substr($0, 1, index($0, ":") - 1))
    field[name] = substr($0, index($0, ":") + 1)
}

END { finish() }
