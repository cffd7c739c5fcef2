/* A folder of its own for a test: made by its .init, removed with all that is in it by its .fini. */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

/* Failing ends the process: no test can go on without. The current folder is not changed. */
void folder_make(void);
void folder_remove(void);

/* The path of the folder, or of a name in it: valid until eight more calls. */
const char *folder_path(const char *name);

/* Writes a file there; returns its path, as folder_path does. */
const char *folder_write(const char *name, const void *bytes, size_t size);

/* 1 if the file has exactly these bytes. */
int folder_has(const char *name, const void *bytes, size_t size);

/* How many entries the folder has, hidden ones included. */
size_t folder_entries(void);

#endif
