<?php
/* Where WordPress has the password of its database. The configuration keeps it shut. */
define('DB_PASSWORD', 'nobody should read this');
