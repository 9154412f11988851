/* The settings php_value and php_admin_value: they stand behind php.ini, and so replace
 * what it says, also for modules at their start. */
#ifndef PHP_BINDING_INI_H
#define PHP_BINDING_INI_H

/* Lines as in php.ini, for free(); NULL: memory is out. */
char *ini_text(void);

/* Keeps scripts from changing those of php_admin_value. After the interpreter's start.
 */
void ini_lock(void);

#endif
