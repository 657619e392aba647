/* Reads the fields of an instance where they are, without its `__dict__`.

   Instances keep their fields in a row of values until someone asks for their `__dict__`. From then on there is a
   dictionary, and Python 3.12 finds each field of that instance through it, for as long as it lives; 3.13 does so where
   fields are set. A recorder that asks long-lived objects for it slows the program down for good.
 */
#include "core.h"
#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>

#if PY_VERSION_HEX >= 0x030D0000
static PyDictValues *values_of(PyObject *object)
{
    if (!(Py_TYPE(object)->tp_flags & Py_TPFLAGS_INLINE_VALUES) || _PyObject_GetManagedDict(object))
        return NULL;
    PyDictValues *values = _PyObject_InlineValues(object);
    return values->valid ? values : NULL;
}
static int set_of(PyDictValues *values) { return values->size; }
static int nth_set(PyDictValues *values, int n) { return ((uint8_t *)&values->values[values->capacity])[n]; }
#else
static PyDictValues *values_of(PyObject *object)
{
    if (!(Py_TYPE(object)->tp_flags & Py_TPFLAGS_MANAGED_DICT))
        return NULL;
    PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);
    return _PyDictOrValues_IsValues(either) ? _PyDictOrValues_GetValues(either) : NULL;
}
static int set_of(PyDictValues *values) { return ((uint8_t *)values)[-2]; }
static int nth_set(PyDictValues *values, int n) { return ((uint8_t *)values)[-3 - n]; }
#endif

PyObject *fields(PyObject *self, PyObject *object)
{
    PyDictValues *values = values_of(object);
    PyDictKeysObject *keys = values ? ((PyHeapTypeObject *)Py_TYPE(object))->ht_cached_keys : NULL;
    if (!keys || !DK_IS_UNICODE(keys))
        Py_RETURN_NONE;
    PyObject *found = PyDict_New();
    for (int n = 0; found && n < set_of(values); n++) { /* in the order in which they were set */
        int place = nth_set(values, n);
        PyObject *name = place < keys->dk_nentries ? DK_UNICODE_ENTRIES(keys)[place].me_key : NULL;
        PyObject *value = name ? values->values[place] : NULL;
        if (value && PyDict_SetItem(found, name, value) < 0)
            Py_CLEAR(found);
    }
    return found;
}
