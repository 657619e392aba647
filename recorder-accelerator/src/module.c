/* The module `_tracelens_core`: what tracelens_recorder.accelerated asks of it. One recording per process. */
#include "core.h"

#define API 2 /* tracelens_recorder.accelerated takes this one alone */

PyObject *hook_begin, *hook_end, *hook_raised, *hook_value, *hook_test, *hook_type, *hook_consider, *hook_ended;
int count_values;
long long patience = NEVER, entered;
int test_now, test_changed;
Func **funcs;
int nfuncs;
static int funcs_size;
static Py_ssize_t extra = -1;
static int watcher = -1;

Func *func_of(PyObject *code)
{
    void *found = NULL;
    if (!PyCode_Check(code) || PyUnstable_Code_GetExtra(code, extra, &found) < 0)
        return NULL;
    return found;
}

static int environment_changed(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    test_changed = 1;
    return 0;
}

PyDoc_STRVAR(setup_doc, "setup(begin, end, raised, value, test, type, consider, ended, count_values, environment)");
static PyObject *setup(PyObject *self, PyObject *args)
{
    PyObject *hooks[8], *environment;
    int values;
    if (!PyArg_ParseTuple(args, "OOOOOOOOpO", &hooks[0], &hooks[1], &hooks[2], &hooks[3], &hooks[4], &hooks[5],
                          &hooks[6], &hooks[7], &values, &environment))
        return NULL;
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError, "only the main interpreter is recorded");
        return NULL;
    }
    if (extra < 0 && (extra = PyUnstable_Eval_RequestCodeExtraIndex(NULL)) < 0) {
        PyErr_SetString(PyExc_RuntimeError, "no place left to note what is known of code");
        return NULL;
    }
    PyObject **own[8] = {&hook_begin, &hook_end,  &hook_raised,   &hook_value,
                         &hook_test,  &hook_type, &hook_consider, &hook_ended};
    for (int i = 0; i < 8; i++)
        Py_XSETREF(*own[i], Py_NewRef(hooks[i]));
    count_values = values;
    test_changed = 1;
    if (PyDict_CheckExact(environment)) {
        if (watcher < 0 && (watcher = PyDict_AddWatcher(environment_changed)) < 0)
            return NULL;
        if (PyDict_Watch(watcher, environment) < 0)
            return NULL;
    }
    forget_calls();
    forget_values();
    look_for_none();
    for (int i = 0; i < nfuncs; i++) { /* of a recording before this one */
        PyUnstable_Code_SetExtra(funcs[i]->code, extra, NULL);
        Py_DECREF(funcs[i]->code);
        free(funcs[i]->durations);
        forget_quiet(funcs[i]);
        free(funcs[i]->slots);
        free(funcs[i]);
    }
    nfuncs = 0;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(add_doc, "add(code, index, kind, secret) -- `index` counts up; `secret` says of each parameter, and of what\n"
                      "is returned, whether it goes under a secret's name.");
static PyObject *add(PyObject *self, PyObject *args)
{
    PyObject *code, *secret;
    int index, kind;
    if (!PyArg_ParseTuple(args, "O!iiO!", &PyCode_Type, &code, &index, &kind, &PyTuple_Type, &secret))
        return NULL;
    if (index != nfuncs) {
        PyErr_SetString(PyExc_ValueError, "functions are numbered in the order in which they are added");
        return NULL;
    }
    if (nfuncs == funcs_size) {
        int size = funcs_size ? funcs_size * 2 : 256;
        Func **grown = realloc(funcs, sizeof(Func *) * size);
        if (!grown)
            return PyErr_NoMemory();
        funcs = grown;
        funcs_size = size;
    }
    Func *f = calloc(1, sizeof(Func));
    Py_ssize_t parameters = PyTuple_GET_SIZE(secret) - 1;
    if (f)
        f->slots = calloc(parameters + 1, sizeof(Slot));
    if (!f || !f->slots || parameters < 0 || parameters > MAX_PARAMETERS) {
        free(f);
        return PyErr_NoMemory();
    }
    f->code = Py_NewRef(code);
    f->index = index;
    f->kind = kind;
    f->parameters = (int)parameters;
    f->low = f->high = -1;
    f->next = 1;
    f->stop = NEVER;
    for (Py_ssize_t i = 0; i <= parameters; i++) {
        f->slots[i].secret = PyTuple_GET_ITEM(secret, i) == Py_True;
        if (i < parameters)
            f->slots[i].cell = (_PyLocals_GetKind(((PyCodeObject *)code)->co_localspluskinds, (int)i) & CO_FAST_CELL) != 0;
    }
    if (PyUnstable_Code_SetExtra(code, extra, f) < 0)
        return NULL;
    if (look_for(f) < 0)
        return PyErr_NoMemory();
    funcs[nfuncs++] = f;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(started_doc, "started(code) -- the innermost frame of this code on the stack has just begun to run.");
static PyObject *started(PyObject *self, PyObject *code)
{
    Func *f = func_of(code);
    Frame *frame = CURRENT_FRAME(PyThreadState_GET());
    while (frame && (frame->owner == FRAME_OWNED_BY_CSTACK || CODE_OF(frame) != code))
        frame = frame->previous;
    if (f && frame && f->kind == FUNCTION && !is_running(f, frame) && enter(f, frame) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(capture_next_doc, "capture_next(index, number) -- the call of that number is handed to Python.");
static PyObject *capture_next(PyObject *self, PyObject *args)
{
    int index;
    long long number;
    if (!PyArg_ParseTuple(args, "iL", &index, &number))
        return NULL;
    if (index >= 0 && index < nfuncs)
        funcs[index]->next = number;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(park_doc, "park(index, stop, due, draining) -- from call `stop` on Python is asked whether to park; `due`:\n"
                       "it is told when a call has ended; `draining`: also of ends whose start was not seen.");
static PyObject *park(PyObject *self, PyObject *args)
{
    int index, due, draining;
    long long stop;
    if (!PyArg_ParseTuple(args, "iLpp", &index, &stop, &due, &draining))
        return NULL;
    if (index >= 0 && index < nfuncs) {
        funcs[index]->stop = stop;
        funcs[index]->due = (char)due;
        funcs[index]->draining = (char)draining;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wait_doc, "wait(n) -- ask again whether too much is spent after n calls. Returns how many there were.");
static PyObject *wait_for(PyObject *self, PyObject *arg)
{
    long long n = PyLong_AsLongLong(arg), before = entered;
    if (n == -1 && PyErr_Occurred())
        return NULL;
    patience = n;
    entered = 0;
    return PyLong_FromLongLong(before);
}

static PyObject *drop(PyObject *self, PyObject *arg)
{
    long index = PyLong_AsLong(arg);
    if (index >= 0 && index < nfuncs)
        drop_calls((int)index);
    Py_RETURN_NONE;
}

static PyObject *live_calls(PyObject *self, PyObject *arg)
{
    long index = PyLong_AsLong(arg);
    return PyLong_FromLongLong(index >= 0 && index < nfuncs ? funcs[index]->live : 0);
}

PyDoc_STRVAR(collect_doc,
             "collect(settle) -- what was added since the last time: (counts, edges, calls by test, values, failures).");
static PyObject *collect(PyObject *self, PyObject *settle)
{
    PyObject *failures = collect_quiet();
    if (!failures)
        return NULL;
    PyObject *counts = collect_counts(), *edges = collect_edges(), *tests = collect_tests(settle == Py_True),
             *values = collect_values();
    if (counts && edges && tests && values)
        return Py_BuildValue("(NNNNN)", counts, edges, tests, values, failures);
    Py_DECREF(failures);
    Py_XDECREF(counts);
    Py_XDECREF(edges);
    Py_XDECREF(tests);
    Py_XDECREF(values);
    return NULL;
}

PyDoc_STRVAR(unfinished_doc, "unfinished(index) -- captured calls in progress, of one function or (-1) of all.");
static PyObject *unfinished(PyObject *self, PyObject *arg) { return open_calls((int)PyLong_AsLong(arg)); }

static PyObject *calls_of(PyObject *self, PyObject *arg)
{
    long index = PyLong_AsLong(arg);
    return PyLong_FromLongLong(index >= 0 && index < nfuncs ? funcs[index]->calls : 0);
}

PyDoc_STRVAR(reset_doc, "reset() -- in a child after a fork: nothing has run yet.");
static PyObject *reset(PyObject *self, PyObject *none)
{
    forget_calls();
    forget_values();
    forget_looking();
    test_changed = 1;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(fields_doc, "fields(object) -- what its `__dict__` would hold, without making it; None where there is one already,\n"
                         "or never is.");
PyDoc_STRVAR(can_look_doc, "can_look() -- whether the system lets stacks be read without the GIL.");
PyDoc_STRVAR(leave_out_doc, "leave_out(code) -- code of the recorder's: a thread that runs it is not looked at.");
PyDoc_STRVAR(begin_looking_doc, "begin_looking() -- before the first `looks`, in the thread that looks.");
PyDoc_STRVAR(looks_doc, "looks(interval, duration) -- sleep, and look at all other threads every so many ns, for so many ns\n"
                        "or until `end_looking`. Returns [((index, offset, ...), weight in ns), ...], outermost first.");
PyDoc_STRVAR(end_looking_doc, "end_looking() -- `looks` returns at once, now and from now on.");

#define EVENT(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    {"setup", setup, METH_VARARGS, setup_doc},
    {"add", add, METH_VARARGS, add_doc},
    {"started", started, METH_O, started_doc},
    {"capture_next", capture_next, METH_VARARGS, capture_next_doc},
    {"collect", collect, METH_O, collect_doc},
    {"unfinished", unfinished, METH_O, unfinished_doc},
    {"park", park, METH_VARARGS, park_doc},
    {"wait", wait_for, METH_O, wait_doc},
    {"drop", drop, METH_O, NULL},
    {"live", live_calls, METH_O, NULL},
    {"calls", calls_of, METH_O, NULL},
    {"reset", reset, METH_NOARGS, reset_doc},
    {"fields", fields, METH_O, fields_doc},
    {"can_look", can_look, METH_NOARGS, can_look_doc},
    {"leave_out", leave_out, METH_O, leave_out_doc},
    {"begin_looking", begin_looking, METH_NOARGS, begin_looking_doc},
    {"looks", looks, METH_VARARGS, looks_doc},
    {"end_looking", end_looking, METH_NOARGS, end_looking_doc},
    EVENT(on_start),
    EVENT(on_return),
    EVENT(on_yield),
    EVENT(on_resume),
    EVENT(on_throw),
    EVENT(on_unwind),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_tracelens_core", "Counts calls and values.", -1, methods};

PyMODINIT_FUNC PyInit__tracelens_core(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntConstant(module, "API", API) < 0)
        Py_CLEAR(module);
    return module;
}
