/* crew: threads that empty a list of tasks together, and end. */
#ifndef MOEPLAN_TESTS_LIB_CREW_H
#define MOEPLAN_TESTS_LIB_CREW_H

#include <pthread.h>
#include <stdlib.h>

enum { CREW = 2 };

/* Calls work(arg) in CREW threads and returns once all have returned; without threads exits with 1.
 */
static inline void crew_run(void *(*work)(void *arg), void *arg)
{
    pthread_t thread[CREW];

    for (size_t t = 0; t < CREW; t++)
        if (pthread_create(&thread[t], NULL, work, arg) != 0)
            exit(1);
    for (size_t t = 0; t < CREW; t++)
        (void)pthread_join(thread[t], NULL);
}

#endif
