/*
 * The working folder of a script is the one it is in. To enter it costs as much as many
 * a script, so a worker stays in the last one.
 */
#ifndef PHP_BINDING_FOLDER_H
#define PHP_BINDING_FOLDER_H

/* Takes note of scripts that go elsewhere. After the interpreter's start. */
void folder_watch(void);

/* Enters the folder of the script, which is given by its absolute path. */
void folder_enter(const char *script);

#endif
