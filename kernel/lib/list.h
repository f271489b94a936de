/* Doubly linked list, intrusive, with a head that is a link itself. */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list *l, struct list *prev, struct list *next)
{
	l->prev = prev;
	l->next = next;
	prev->next = l;
	next->prev = l;
}

static inline void list_push_front(struct list *head, struct list *l)
{
	list_insert_between(l, head, head->next);
}

static inline void list_push_back(struct list *head, struct list *l)
{
	list_insert_between(l, head->prev, head);
}

/* Leaves l empty, so that a second removal does no harm. */
static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#define list_entry(l, type, member) container_of(l, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

#define list_for_each(head, it, member)                                                                               \
	for (it = list_first(head, __typeof__(*it), member); &it->member != (head);                                    \
	     it = list_entry(it->member.next, __typeof__(*it), member))

/* The entry may be removed by the body. */
#define list_for_each_safe(head, it, nextit, member)                                                                  \
	for (it = list_first(head, __typeof__(*it), member),                                                           \
	    nextit = list_entry(it->member.next, __typeof__(*it), member);                                             \
	     &it->member != (head);                                                                                    \
	     it = nextit, nextit = list_entry(it->member.next, __typeof__(*it), member))

#endif
