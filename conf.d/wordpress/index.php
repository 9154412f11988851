<?php
/* The front controller: it answers every path that is no file. A stand-in for WordPress's,
 * which is called in the same way. */

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$posts = ['/' => 'A small blog', '/2026/hello-world/' => 'Hello, world'];
$title = $posts[$path] ?? null;
if ($title === null) {
	http_response_code(404);
	$title = 'No such post';
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title><?= $title ?></title>
<link rel="stylesheet" href="/wp-content/themes/plain/style.css">
<link rel="icon" href="data:,">
<main>
<h1><?= $title ?></h1>
<p>This is <code><?= htmlspecialchars($path) ?></code>, made by process <?= getmypid() ?>.</p>
<ul>
<?php foreach ($posts as $at => $name) { ?>
<li><a href="<?= $at ?>"><?= $name ?></a>
<?php } ?>
<li><a href="/wp-content/uploads/notes.txt">An upload</a>
<li><a href="/wp-login.php">Log in</a>
</ul>
</main>
</html>
