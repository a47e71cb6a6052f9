/* plan_warnings: what a plan warns of: what its model does, what the planner does, and what only
 * both and the question together show.
 */
#ifndef MOEPLAN_SERVER_PLAN_WARNINGS_H
#define MOEPLAN_SERVER_PLAN_WARNINGS_H

#include "server/question.h"

/* The member `warnings`. */
void plan_warnings_write(struct out *out, const struct question_query *query,
                         const struct model_choice *choice, const struct plan_question *question,
                         const struct plan_answer *answer);

#endif
