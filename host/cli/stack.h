/* Room on the stack, before it is needed. */
#ifndef CUSEQ_CLI_STACK_H
#define CUSEQ_CLI_STACK_H

/* A stack grows as it is used, and where a limit leaves no room for that, a process dies without a word. So
 * where there is such a limit the stack grows at once to what commands take; EXIT_MACHINE with a message,
 * which names the limit, where it cannot. */
int stack_reserve(void);

#endif
