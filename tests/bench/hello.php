<?php
header("Content-Type: text/plain");
header("Content-Length: 14");
echo "Hello, World!\n";
