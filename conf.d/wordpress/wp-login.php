<?php
/* A script that is called by its name. */
header('Cache-Control: no-store');
?>
<!doctype html>
<title>Log in</title>
<p>This is <?= htmlspecialchars($_SERVER['SCRIPT_NAME']) ?>, and there is nobody to be.</p>
