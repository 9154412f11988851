<?php
/* A page that shows what a script is given: the environ, a form's text, and which process
 * answers. What a client sent is escaped wherever it appears. */

function escape($text)
{
	return htmlspecialchars(is_string($text) ? $text : json_encode($text));
}

/* php-cgi mixes the variables of its own process into $_SERVER. These are nobody's business. */
$cgi = '/^(CONTENT|DOCUMENT|GATEWAY|HTTP|PATH|PHP|QUERY|RAW|REDIRECT|REMOTE|REQUEST|SCRIPT|SERVER)_/';
$environ = array_filter($_SERVER, fn($name) => preg_match($cgi, $name), ARRAY_FILTER_USE_KEY);
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from PHP</title>
<link rel="icon" href="data:,">
<style>
<?php readfile(__DIR__ . '/../www/look.css') ?>
</style>
<main>
<h1>Hello from PHP</h1>
<p>Process <?= getmypid() ?>. PHP begins anew with each request, so it counts none.</p>
<form method="post"><input name="text" maxlength="200" placeholder="Some text" aria-label="Some text"> <button>Send</button></form>
<?php if (isset($_POST['text'])) { ?>
<p>You sent:</p>
<blockquote><?= escape($_POST['text']) ?></blockquote>
<?php } ?>
<h2>The environ</h2>
<table>
<?php foreach ($environ as $name => $value) { ?>
<tr><td><?= escape($name) ?><td><?= escape($value) . "\n" ?>
<?php } ?>
</table>
</main>
</html>
