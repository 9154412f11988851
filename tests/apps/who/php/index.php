<?php
$mount = preg_replace('#/index\.php$#', '', $_SERVER['SCRIPT_NAME']);
echo implode('|', ['php', $mount, substr(strtok($_SERVER['REQUEST_URI'], '?'), strlen($mount)),
    $_SERVER['QUERY_STRING'], $_SERVER['REMOTE_ADDR'], strlen(file_get_contents('php://input'))]);
