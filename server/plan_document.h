/* plan_document: the answer to a plan as JSON.
 *
 * One object, the contract's members in their order, those that `fields` leaves out not written.
 */
#ifndef MOEPLAN_SERVER_PLAN_DOCUMENT_H
#define MOEPLAN_SERVER_PLAN_DOCUMENT_H

#include "core/plan.h"
#include "server/question.h"

void plan_document_write(struct out *out, const struct question_query *query,
                         const struct model_choice *choice, const struct plan_question *question,
                         const struct plan_answer *answer);

#endif
