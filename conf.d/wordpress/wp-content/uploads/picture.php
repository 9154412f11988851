<?php echo 'this was run';
