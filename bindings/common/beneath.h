/*
 * Files beneath a folder, and nothing outside of it, whatever a path says and wherever
 * links lead. The folder is given by a descriptor, so nobody can put another one in its
 * place.
 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

/* A descriptor of what a relative path names, or -1 and errno; EXDEV: it leads out. A
 * link with an absolute path leads out for the kernel, also when it leads in again; it
 * is followed only where the kernel is not asked (openat2). */
int beneath_open(int folder, const char *path, int flags);

/* The same, but links with absolute paths are always followed. */
int beneath_open_followed(int folder, const char *path, int flags);

/* Where the part of an absolute path begins that is beneath the folder; NULL: it is
 * not beneath it. Only the texts are compared. */
const char *beneath_rest(const char *folder, const char *path);

#endif
