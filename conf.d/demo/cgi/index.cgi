#!/bin/sh
# A page that shows what a CGI program is given: a process for each request, and its
# environment. What a client sent is escaped wherever it appears.

escape() {
	sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'
}

printf 'Content-Type: text/html; charset=utf-8\n\n'
cat <<END
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from a CGI program</title>
<link rel="icon" href="data:,">
<style>
$(cat ../www/look.css)
</style>
<main>
<h1>Hello from a CGI program</h1>
<p>Process $$, which ends with this page.</p>
<h2>The environ</h2>
<table>
$(env | LC_ALL=C sort | escape | sed 's/^\([^=]*\)=\(.*\)/<tr><td>\1<td>\2/')
</table>
</main>
</html>
END
